"""Bring a table to the speed that its machine has today: the anchors of its calibration are timed again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nas.arch import Arch
from nas.errors import DeviceError
from nas.latency.anchors import anchors_of
from nas.latency.measure import model_of, space_key
from nas.latency.noise import Noise, judge, refusal
from nas.latency.session import measure_networks
from nas.latency.table import Calibration, LatencyTable
from nas.latency.timing import slowness
from nas.progress import Progress
from nas.space import SearchSpace

RECALIBRATED = 0.03  # drift beyond which the level is set anew
SESSIONS = 3  # at most: two that agree, or one that is believed
REFUSED = 0.15  # drift beyond which the machine is not in the state that the rows were measured in


class OffLevelError(DeviceError):
    """A machine is further off its table than the table's rows can follow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchored:
    """A table at today's speed.

    Attributes:
        drift: Measured over predicted latency of the anchors, less one, by the level that the table had.
        noise: Of the machine while they were timed.
    """

    table: LatencyTable
    drift: float
    noise: Noise

    @property
    def recalibrated(self) -> bool:
        """Whether the table's level was set anew."""
        return abs(self.drift) > RECALIBRATED


def re_anchor(table: LatencyTable, space: SearchSpace, *, rounds: int, seed: int, progress: Progress) -> Anchored:
    """Time a table's anchors again and set its level anew where it drifted.

    Args:
        table: Measured on this machine, calibrated for the space.
        space: What is to be priced.
        rounds: Timed runs of each anchor.
        seed: Of their order.
        progress: Told as measuring advances.

    Raises:
        OffLevelError: Two sessions found the machine further off than the rows can follow.
        DeviceError: The machine is too noisy, in all sessions but one.
    """
    key = space_key(space)
    calibration = table.calibrations[key]
    archs = _priced(table, space, anchors_of(space, calibration.anchors))
    anchored = _settled(table, space, archs, rounds=rounds, seed=seed, progress=progress)
    if not anchored.recalibrated:
        return anchored
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    level = calibration.scale * (1 + anchored.drift)
    return replace(anchored, table=table.with_calibration(key, replace(calibration, scale=level, anchored_on=today)))


def _settled(
    table: LatencyTable, space: SearchSpace, archs: tuple[Arch, ...], *, rounds: int, seed: int, progress: Progress
) -> Anchored:
    """The first session of a usable machine that the rows can follow; a neighbour's burst is waited out.

    Raises:
        OffLevelError, DeviceError: As `re_anchor`.
    """
    far, unusable = 0, list[Noise]()
    for session in range(SESSIONS):
        drift, noise = _timed(table, space, archs, rounds=rounds, seed=seed + session, progress=progress)
        if noise.verdict == "unusable":
            unusable.append(noise)
            continue
        if abs(drift) <= REFUSED:
            return Anchored(table=table, drift=drift, noise=noise)
        far += 1
        if far == 2:
            raise _off_level(table, table.calibrations[space_key(space)], drift, anchors=len(archs))
    raise refusal(unusable[-1], f"checking the level of the table of {table.target.name}")


def _off_level(table: LatencyTable, calibration: Calibration, drift: float, *, anchors: int) -> OffLevelError:
    name, level = table.target.name, calibration.scale * (1 + drift)
    return OffLevelError(
        f"the table of {name} says {calibration.scale:.4g} of its rows' sum, measured {calibration.anchored_on}; "
        f"now it is {level:.4g} ({drift:+.0%}), in two sessions of {anchors} anchor networks: bring the machine "
        f"back to its state, measure again with python -m nas.measure +target={name} after deleting the table, "
        f"or use it as it is with allow_mismatch=true"
    )


def _priced(table: LatencyTable, space: SearchSpace, archs: Sequence[Arch]) -> tuple[Arch, ...]:
    """The anchors whose rows the table has: the others took no part in its calibration either."""
    model = model_of(table, space)
    return tuple(arch for arch in archs if not model.missing([arch]))


def _timed(
    table: LatencyTable, space: SearchSpace, archs: tuple[Arch, ...], *, rounds: int, seed: int, progress: Progress
) -> tuple[float, Noise]:
    """The table's drift by one session, and the machine's noise in it; anchors that fail now are left out."""
    measured = measure_networks(table.target, archs, rounds=rounds, seed=seed, progress=progress)
    noise = judge(measured.samples_us, steal_pct=measured.steal_pct)
    model = model_of(table, space)
    predicted_us = np.array([model.arch_ms(arch) for arch in archs]) * 1000
    return slowness(measured.samples_us, predicted_us) - 1, noise
