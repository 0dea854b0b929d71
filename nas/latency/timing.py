"""What repeated timings of one thing amount to.

Noise on shared machines is one-sided and comes in states that last tens of milliseconds (FINDINGS.md section 6), so
which statistic repeats best is a property of the machine at hand: it is chosen by split-half disagreement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

UNTIMED_RUNS = 2
"""Runs of a network before a timed one. After a single one a network of 3 MB, among 60 others, took 18 % longer than
alone on a Xeon with 2 MB of L2 cache, a smaller one 13 %; after two as long as alone (measured)."""

STATISTICS: Mapping[str, Callable[[Samples], Samples]] = MappingProxyType(
    {
        "median": lambda samples: np.median(samples, axis=-1),
        "p25": lambda samples: np.quantile(samples, 0.25, axis=-1),
        "min": lambda samples: np.min(samples, axis=-1),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stats:
    """Spread of the runs that a row's profiled time was made of.

    Attributes:
        iqr_us: Distance of the quartiles.
        split_half: Relative difference between the medians of the even and of the odd runs.
    """

    runs: int
    median_us: float
    min_us: float
    iqr_us: float
    split_half: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Summary of the runs of one network.

    Attributes:
        low_us, high_us: 95 % confidence interval of the median, from order statistics (no distribution assumed).
        split_half: Relative difference between the medians of the even and of the odd runs.
    """

    median_us: float
    low_us: float
    high_us: float
    p90_us: float
    min_us: float
    split_half: float
    runs: int


def summarise(samples_us: Samples) -> Timing:
    """Summarise the runs of one network, microseconds, in the order they were made (at least 4)."""
    ordered, runs = np.sort(samples_us), len(samples_us)
    reach = 0.98 * np.sqrt(runs)  # half width of the interval in ranks: 1.96 * sqrt(runs) / 2
    low, high = int(max(0, np.floor(runs / 2 - reach))), int(min(runs - 1, np.ceil(runs / 2 + reach)))
    return Timing(
        median_us=float(np.median(ordered)),
        low_us=float(ordered[low]),
        high_us=float(ordered[high]),
        p90_us=float(np.quantile(ordered, 0.9)),
        min_us=float(ordered[0]),
        split_half=float(abs(np.median(samples_us[::2]) / np.median(samples_us[1::2]) - 1)),
        runs=runs,
    )


def whole(samples_us: Samples) -> Samples:
    """The networks that were timed in every round; samples are (networks, runs), NaN where a network failed."""
    return samples_us[~np.isnan(samples_us).any(axis=1)]


def slowness(samples_us: Samples, expected_us: Samples) -> float:
    """Measured over expected time, the median over networks; those that failed, or expect no end, are left out.

    Args:
        samples_us: (networks, runs), NaN where a network failed.
        expected_us: (networks,).

    Returns:
        1 when no network is left.
    """
    ratios = np.median(samples_us, axis=1) / expected_us
    told = ratios[np.isfinite(ratios) & np.isfinite(expected_us)]
    return float(np.median(told)) if len(told) else 1.0


def split_half_pct(samples_us: Samples, statistic: str) -> float:
    """Mean disagreement between even and odd runs over networks, per cent; samples are (networks, runs)."""
    value, samples_us = STATISTICS[statistic], whole(samples_us)
    return float(np.mean(np.abs(value(samples_us[:, ::2]) / value(samples_us[:, 1::2]) - 1)) * 100)


def steadiest(samples_us: Samples) -> str:
    """Name of the statistic that repeats best on these samples, (networks, runs)."""
    return min(STATISTICS, key=lambda name: split_half_pct(samples_us, name))


def stats(samples_us: Samples) -> Stats:
    """Spread of the runs of one kernel, microseconds, in the order they were made (at least 2)."""
    even, odd, middle = (float(np.median(part)) for part in (samples_us[::2], samples_us[1::2], samples_us))
    low, high = np.quantile(samples_us, [0.25, 0.75])
    return Stats(
        runs=len(samples_us),
        median_us=middle,
        min_us=float(samples_us.min()),
        iqr_us=float(high - low),
        split_half=abs(even - odd) / middle if middle else 0.0,
    )
