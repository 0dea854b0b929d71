"""Whether a machine is quiet enough for what it says to be believed.

Three signals, all measured beside the timings themselves: how well the even and the odd runs of a network agree, how
far its slow runs lie above its median, and how much of the time that was asked for others had. The limits come from
the machine of FINDINGS.md section 6, whose single-thread speed flips by x1.35 with a neighbour: split-half 2.7 % at 60
runs, and still good for a table with 0.9 % error. It is the model of `noisy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nas.errors import DeviceError
from nas.latency.timing import Samples, split_half_pct, whole

Verdict = Literal["quiet", "noisy", "unusable"]

RUNS = 60  # that a network's split-half disagreement is judged for: it shrinks with their root
SLICE_US = 3000.0  # the scheduler's turn: shorter runs mostly come to their end before another program has its own


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """How a machine behaved while it was measured.

    Attributes:
        split_half_pct: Mean disagreement of the even and the odd runs of whole networks, per cent.
        spread_pct: 90th percentile of a network's runs over its median, less one, the median over networks, per cent.
        steal_pct: Share of the time asked for that others had: other guests of the hypervisor, other programs; 0 where
            the system does not tell.
    """

    verdict: Verdict
    split_half_pct: float
    spread_pct: float
    steal_pct: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The most of each signal that a verdict allows, per cent.

    Attributes:
        split_half_pct: At `RUNS` runs.
        lost_pct: Share of a typical run that others had.
    """

    split_half_pct: float
    spread_pct: float
    lost_pct: float


QUIET = Limits(split_half_pct=1.5, spread_pct=15.0, lost_pct=1.0)
USABLE = Limits(split_half_pct=8.0, spread_pct=100.0, lost_pct=25.0)  # beyond, medians are 5 % off: a bad proof


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """Counters of the system, since its start or this process's.

    Attributes:
        stolen, asked: Of all cores, in ticks: what other guests had, and that with what this guest used.
        waited, wanted: Of this process's first thread, in nanoseconds: ready but not running, and that with running.
    """

    stolen: int
    asked: int
    waited: int
    wanted: int


def shares() -> Shares:
    """The counters as they stand; zeros where the system has none."""
    user, nice, system, _idle, _io, irq, soft, stolen = _numbers("/proc/stat", 8)
    ran, waited = _numbers("/proc/self/schedstat", 2)
    return Shares(
        stolen=stolen,
        asked=user + nice + system + irq + soft + stolen,
        waited=waited,
        wanted=ran + waited,
    )


def stolen_pct(before: Shares, after: Shares) -> float:
    """Share of the time asked for between two readings that others had, per cent.

    >>> start = Shares(stolen=0, asked=0, waited=0, wanted=0)
    >>> stolen_pct(start, Shares(stolen=10, asked=100, waited=20, wanted=100))
    28.0
    """
    stolen = (after.stolen - before.stolen) / max(1, after.asked - before.asked)
    waited = (after.waited - before.waited) / max(1, after.wanted - before.wanted)
    return round(100 * (1 - (1 - stolen) * (1 - waited)), 6)


def judge(samples_us: Samples, *, steal_pct: float) -> Noise:
    """Judge a machine by interleaved runs of whole networks.

    Args:
        samples_us: (networks, runs), microseconds; at least 2 runs; networks with NaN are left out.
        steal_pct: Share of the time asked for that others had, per cent.
    """
    whole_us = whole(samples_us)
    medians_us = np.median(whole_us, axis=1)
    split_half = split_half_pct(whole_us, "median")
    spread = float(np.median(np.quantile(whole_us, 0.9, axis=1) / medians_us - 1) * 100)
    found = Limits(
        split_half_pct=split_half * float(np.sqrt(whole_us.shape[1] / RUNS)),
        spread_pct=spread,
        lost_pct=steal_pct * min(1.0, float(np.median(medians_us)) / SLICE_US),
    )
    verdict: Verdict = "quiet" if _within(found, QUIET) else "noisy" if _within(found, USABLE) else "unusable"
    return Noise(verdict=verdict, split_half_pct=split_half, spread_pct=spread, steal_pct=steal_pct)


def advice(noise: Noise) -> str:
    """One line: what was measured and what to do; empty for a quiet machine."""
    if noise.verdict == "quiet":
        return ""
    remedy = {
        "noisy": "close other programs, or pause other virtual machines, for steadier figures",
        "unusable": "close other programs and try again, on another machine if others share this one",
    }[noise.verdict]
    return (
        f"the machine is {noise.verdict}: even and odd runs differ by {noise.split_half_pct:.1f} %, slow runs lie "
        f"{noise.spread_pct:.0f} % above the median, others had {noise.steal_pct:.0f} % of the time; {remedy}"
    )


def require_usable(noise: Noise, doing: str) -> None:
    """Refuse figures of a machine that is too noisy.

    Args:
        noise: How it behaved.
        doing: What is given up, for the message.

    Raises:
        DeviceError: It is unusable; the text holds the signals and the remedy.
    """
    if noise.verdict == "unusable":
        raise refusal(noise, doing)


def refusal(noise: Noise, doing: str) -> DeviceError:
    """The error that tells of a machine that is too noisy, and what is given up."""
    return DeviceError(f"{doing} given up, nothing is stored: {advice(noise)}")


def _within(found: Limits, limits: Limits) -> bool:
    return (
        found.split_half_pct <= limits.split_half_pct
        and found.spread_pct <= limits.spread_pct
        and found.lost_pct <= limits.lost_pct
    )


def _numbers(path: str, count: int) -> list[int]:
    """The first numbers of a file of the system; zeros where it is not there or holds something else."""
    try:
        words = Path(path).read_text().split()
    except OSError:
        words = []
    numbers = [int(word) for word in words[: count + 1] if word.isdecimal()]
    return [*numbers, *[0] * count][:count]
