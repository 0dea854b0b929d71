"""What a kernel costs depends on the network around it where its weights are read once: are they still in the cache?

A linear layer does one multiply-accumulate a weight. In a network that moves 8 MiB it took 0.09 ns a weight on a CPU
with 32 MiB of last-level cache, in one of 64 MiB and more 0.2 ns. Among the networks of one space that hardly differs;
among all networks it is the difference between 111 and 262 us of a 0.9 ms network. So keys of linear layers carry the
memory traffic of their network, in powers of two: `linear 1280>1000 1px of16`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from nas.arch import Arch, Kind, cost
from nas.latency.kernels import Kernel

MOST_MIB = 256  # of traffic: nothing of such a network stays in a cache


def in_context(kernels: Callable[[Arch], Sequence[Kernel]]) -> Callable[[Arch], tuple[Kernel, ...]]:
    """A runtime's reading of networks, with the traffic of the whole network in the keys of linear layers."""

    def read(arch: Arch) -> tuple[Kernel, ...]:
        mib = cost(arch).traffic_bytes / 2**20
        rounded = min(MOST_MIB, max(1, 2 ** round(math.log2(mib))))
        return tuple(
            replace(kernel, key=f"{kernel.key} of{rounded}") if kernel.op.kind is Kind.LINEAR else kernel
            for kernel in kernels(arch)
        )

    return read
