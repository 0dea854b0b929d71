"""Time an exported network on the target before anyone says "within budget"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.arch import Arch
from nas.errors import DeviceError
from nas.latency.session import Measured, measure_networks
from nas.latency.timing import Timing, slowness, summarise
from nas.progress import Progress
from nas.target import Target

RUNS = 200
ATTEMPTS = 3
STEADY = 0.02  # split-half disagreement below which a measurement stands
DRIFT = 0.01  # share by which anchors may leave their prediction before it is measured again


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """A network's measured latency.

    Attributes:
        timing: Of the runs, interleaved with the anchors'.
        drift: Measured over predicted latency of the anchors in the same session: what the machine's state adds.
        attempts: Sessions measured; the first steady one counts, or else the one whose anchors were nearest to their
            predictions.
    """

    timing: Timing
    drift: float
    attempts: int


def verify(
    target: Target,
    subject: Arch | Path,
    *,
    anchors: Sequence[Arch],
    predict_ms: Callable[[Arch], float],
    progress: Progress,
) -> Verification:
    """Time a network (random weights) or an exported file, interleaved with anchor networks.

    Args:
        target: Device and runtime.
        subject: What is verified.
        anchors: Networks whose latency the model predicts well; they tell a slow machine from a slow network.
        predict_ms: The latency model.
        progress: Told as measuring advances.

    Raises:
        DeviceError: Measuring failed, or the runtime refuses the subject, crashes or hangs on it.
    """
    archs = [*anchors, subject] if isinstance(subject, Arch) else list(anchors)
    models = [subject] if isinstance(subject, Path) else []
    predicted_us = np.array([predict_ms(arch) for arch in anchors]) * 1000
    sessions: list[tuple[float, Timing]] = []
    for attempt in range(ATTEMPTS):
        measured = measure_networks(target, archs, models=models, rounds=RUNS, seed=attempt, progress=progress)
        _require_subject(measured, place=len(anchors))
        drift = slowness(measured.samples_us[: len(anchors)], predicted_us)
        timing = summarise(measured.samples_us[-1])
        sessions.append((drift, timing))
        if timing.split_half <= STEADY and abs(drift - 1) <= DRIFT:
            return Verification(timing=timing, drift=drift, attempts=len(sessions))
    drift, timing = min(sessions, key=lambda session: abs(session[0] - 1))
    return Verification(timing=timing, drift=drift, attempts=len(sessions))


def _require_subject(measured: Measured, *, place: int) -> None:
    if place in measured.failed:
        raise DeviceError(f"the network to verify cannot be timed: {measured.failed[place]}")
