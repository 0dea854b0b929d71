"""`LatencyModel`: milliseconds of an `Arch` from a calibrated table, with a breakdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nas.arch import Arch
from nas.errors import InputError
from nas.latency.kernels import Kernel
from nas.latency.table import LatencyTable


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """One kernel's part of a network's latency."""

    layer: str
    kernel: str
    ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LatencyModel:
    """A table read for one space.

    Attributes:
        table: The rows.
        scale: The calibration: measured over summed.
        kernels: The runtime's reading of a network.
    """

    table: LatencyTable
    scale: float
    kernels: Callable[[Arch], Sequence[Kernel]]

    def missing(self, archs: Sequence[Arch]) -> list[str]:
        """Keys of kernels without a row."""
        return self.table.missing(kernel.key for arch in archs for kernel in self.kernels(arch))

    def arch_ms(self, arch: Arch) -> float:
        """Predicted latency of one network, milliseconds.

        Raises:
            InputError: The table lacks rows; the text names the first one.
        """
        return sum(share.ms for share in self.breakdown(arch))

    def breakdown(self, arch: Arch) -> tuple[Share, ...]:
        """Latency by kernel, in order; a kernel goes under the first layer it computes.

        Raises:
            InputError: As for `arch_ms`.
        """
        kernels = self.kernels(arch)
        missing = self.table.missing(kernel.key for kernel in kernels)
        if missing:
            raise InputError(
                f"the table of {self.table.target.name} has no row for '{missing[0]}'"
                f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}; "
                f"run python -m nas.measure +target={self.table.target.name} on the target itself"
            )
        return tuple(
            Share(layer=kernel.layers[0], kernel=kernel.key, ms=self.scale * self.table.rows[kernel.key].us / 1000)
            for kernel in kernels
        )
