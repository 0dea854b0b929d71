"""What a runtime must offer to be measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nas.arch import Arch
from nas.latency.kernels import Kernel
from nas.latency.timing import Stats
from nas.target import Host, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerProfile:
    """What the runtime's profiler says of one layer.

    Attributes:
        profiled_us: Time of its nodes, microseconds, the profiler's overhead included.
        nodes: Number of nodes that ran for it.
        stats: Of the runs.
    """

    profiled_us: float
    nodes: int
    stats: Stats


class Runtime(Protocol):
    """A runtime on this machine. `model` is the content of a file in the runtime's own format."""

    def host(self, target: Target, /) -> Host:
        """Fingerprint of this machine running this runtime."""
        ...

    def write(self, arch: Arch, /) -> bytes:
        """A model of the network in the target's precision, with random weights, for timing."""
        ...

    def kernels(self, arch: Arch, /) -> Sequence[Kernel]:
        """What the runtime executes for the network."""
        ...

    def prepare(self, model: bytes, /) -> Callable[[], object]:
        """Load a model; the returned callable runs it once.

        Raises:
            DeviceError: The runtime refuses the model, or the target asks for more threads than there are CPUs.
        """
        ...

    def infer(self, model: bytes, images: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Logits (n, classes) of normalised images (n, c, h, w), computed batch by batch."""
        ...

    def profile(self, model: bytes, arch: Arch, /, *, runs: int) -> dict[str, LayerProfile]:
        """Profile a model of a network: layer name -> what the profiler says; layers without a node are left out.

        Args:
            model: The model.
            arch: Its network.
            runs: At least 2.

        Raises:
            DeviceError: As for `prepare`, or the profile cannot be read.
        """
        ...
