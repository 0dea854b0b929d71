"""`LatencyModel`: milliseconds of an `Arch` from a calibrated table, with a breakdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nas.arch import Arch
from nas.errors import InputError
from nas.latency.fit import DECIMALS
from nas.latency.kernels import Kernel
from nas.latency.similar import Similar
from nas.latency.table import LatencyTable

UNITS_PER_US: int = 10**DECIMALS  # prices are whole units, so that their sums are exact in any order
UNITS_PER_MS: int = UNITS_PER_US * 1000
MOST_SD = 0.18  # of the logarithm of a kernel's price, 0.1803 where nothing like it was measured: that is unknown


class LacksRowsError(InputError):
    """A table has neither a row for a kernel nor rows of similar ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """One kernel's part of a network's latency."""

    layer: str
    kernel: str
    ms: float


@dataclass(slots=True)
class _Interpolation:
    """Prices of kernels without a row, from the rows of similar ones; remembered.

    Attributes:
        units: Kernel key -> price; None where nothing similar was measured.
    """

    table: LatencyTable
    most_sd: float = MOST_SD
    units: dict[str, int | None] = field(default_factory=dict)
    _similar: Similar | None = None

    def learn(self, keys: Iterable[str]) -> None:
        """Price kernels."""
        new = [key for key in dict.fromkeys(keys) if key not in self.units]
        if not new:
            return
        if self._similar is None:
            self._similar = _similar(self.table)
        prices_us = self._similar.us(new, kin=math.isinf(self.most_sd))
        for key, us, sd in zip(new, prices_us, self._similar.sd(new), strict=True):
            self.units[key] = round(us * UNITS_PER_US) if sd <= self.most_sd and math.isfinite(us) else None


def _similar(table: LatencyTable) -> Similar:
    runs = {key: row for key, row in table.rows.items() if row.us > 0}
    return Similar(
        list(runs),
        np.array([row.us for row in runs.values()]),
        np.array([float(row.networks) for row in runs.values()]),
        grain=table.channel_grain,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class LatencyModel:
    """A table read for one space.

    Attributes:
        table: The rows.
        scale: The calibration: measured over summed.
        kernels: The runtime's reading of a network.
        most_sd: Doubt beyond which a kernel has no price, standard deviation of its logarithm; infinite: any kernel
            whose computation was measured has one, however far its widths are from those that were.
    """

    table: LatencyTable
    scale: float
    kernels: Callable[[Arch], Sequence[Kernel]]
    most_sd: float = MOST_SD
    _unseen: _Interpolation = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_unseen", _Interpolation(self.table, self.most_sd))

    def missing(self, archs: Sequence[Arch]) -> list[str]:
        """Keys of kernels that have no row and are like none that has."""
        return self.unlike(kernel.key for arch in archs for kernel in self.kernels(arch))

    def unlike(self, keys: Iterable[str]) -> list[str]:
        """Those of some kernels' keys that have no row and are like none that has."""
        unseen = self.table.missing(keys)
        self._unseen.learn(unseen)
        return [key for key in unseen if self._unseen.units[key] is None]

    def interpolated(self, archs: Sequence[Arch]) -> list[str]:
        """Keys of kernels that have no row, whether similar ones price them or not."""
        return self.table.missing(kernel.key for arch in archs for kernel in self.kernels(arch))

    def arch_ms(self, arch: Arch) -> float:
        """Predicted latency of one network, milliseconds; infinite when the runtime refuses one of its kernels.

        Raises:
            LacksRowsError: The table lacks rows; the text names the first one.
        """
        units = sum(self._units(self.kernels(arch)))
        return self.scale * units / UNITS_PER_MS

    def units(self, arch: Arch) -> list[tuple[str, float]]:
        """What `breakdown` says before the scale: layer and whole units, of `UNITS_PER_MS` to the millisecond.

        Raises:
            LacksRowsError: As for `arch_ms`.
        """
        kernels = self.kernels(arch)
        return [(kernel.layers[0], units) for kernel, units in zip(kernels, self._units(kernels), strict=True)]

    def keys_ms(self, keys: Sequence[str]) -> list[float]:
        """Latency of kernels by their keys, milliseconds.

        Raises:
            LacksRowsError: As for `arch_ms`.
        """
        return [self.scale * units / UNITS_PER_MS for units in self._keys_units(keys)]

    def breakdown(self, arch: Arch) -> tuple[Share, ...]:
        """Latency by kernel, in order, infinite where the runtime refuses it.

        A kernel goes under the first layer it computes.

        Raises:
            LacksRowsError: As for `arch_ms`.
        """
        kernels = self.kernels(arch)
        return tuple(
            Share(layer=kernel.layers[0], kernel=kernel.key, ms=self.scale * units / UNITS_PER_MS)
            for kernel, units in zip(kernels, self._units(kernels), strict=True)
        )

    def _units(self, kernels: Sequence[Kernel]) -> list[float]:
        """Whole units of each kernel, infinite where the runtime refuses it."""
        return self._keys_units([kernel.key for kernel in kernels])

    def _keys_units(self, keys: Sequence[str]) -> list[float]:
        rows, refused = self.table.rows, self.table.refused
        missing = self.unlike(keys)
        if missing:
            raise LacksRowsError(
                f"the table of {self.table.target.name} has no row for '{missing[0]}'"
                f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}; "
                f"run python -m nas.measure +target={self.table.target.name} on the target itself"
            )
        return [
            math.inf
            if key in refused
            else round(rows[key].us * UNITS_PER_US)
            if key in rows
            else self._unseen.units[key] or 0
            for key in keys
        ]
