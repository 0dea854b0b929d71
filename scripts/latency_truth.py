"""Unseen networks and what they really take: what `benchmark_latency.py` holds every predictor against."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from latency_baselines import Floats, macs

from nas.arch import Arch, digest
from nas.latency.anchors import anchors_of
from nas.latency.measure import MeasurePlan, measure_space, model_of
from nas.latency.proof import prove
from nas.latency.session import measure_networks
from nas.latency.table import LatencyTable
from nas.latency.timing import split_half_pct
from nas.progress import silent
from nas.space import SearchSpace, uniform
from nas.target import Target

TARGET = Target(name="intel_cpu", runtime="onnxruntime", vendor="GenuineIntel")
ANCHORS = 10
NOISE_PCT = 1.3  # of the networks' own times, above which they are measured for longer
MEASURE_SEED, UNSEEN_SEED = 0, 1
FIGURES = ("mape_pct", "max_pct", "within_2_pct", "within_5_pct", "within_10_pct")
RANKS = ("spearman", "kendall", "kendall_equal_flops")


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        networks: Unseen networks of a space.
        rounds: Timed runs of each, and most where they are noisy.
        alone_rounds: Timed runs of what the baselines are made of.
        priced: Networks that are priced one at a time.
        age_s: Age of the table that is brought to today's level.
    """

    networks: int = 80
    rounds: int = 120
    most_rounds: int = 480
    alone_rounds: int = 60
    plan: MeasurePlan = field(default_factory=MeasurePlan)
    priced: int = 2000
    searches: int = 30
    age_s: float = 1800


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """Networks and their measured milliseconds.

    Attributes:
        archs: Unseen networks.
        ms: Medians, (networks,).
        noise_pct: Disagreement of their split halves.
        anchor_ms: Of the anchor networks in the same session.
    """

    archs: tuple[Arch, ...]
    ms: Floats
    noise_pct: float
    rounds: int
    anchors: tuple[Arch, ...]
    anchor_ms: Floats

    def levelled(self, archs_raw: Floats, anchors_raw: Floats) -> Floats:
        """Predictions in any unit as milliseconds, by the anchors."""
        predicted: Floats = archs_raw * np.median(self.anchor_ms / anchors_raw)
        return predicted

    def figures(self, predicted_ms: Floats) -> dict[str, float | None]:
        """Errors and rank correlations."""
        proof = prove(predicted_ms, self.ms, noise_pct=self.noise_pct, macs=macs(self.archs).tolist())
        return {name: getattr(proof, name) for name in (*FIGURES, *RANKS)}


def unseen(space: SearchSpace, count: int, seed: int) -> tuple[Arch, ...]:
    """Different random networks, none of them an anchor."""
    rng, known = random.Random(seed), {digest(arch) for arch in anchors_of(space, ANCHORS)}
    found: dict[str, Arch] = {}
    for _ in range(100 * count):  # a space may hold fewer
        arch = space.build(uniform(rng))
        if digest(arch) not in known:
            found[digest(arch)] = arch
        if len(found) == count:
            break
    return tuple(found.values())


def measured(space: SearchSpace, size: Size) -> Truth:
    """Time unseen networks and the anchors, longer where they are noisy."""
    archs, anchors = unseen(space, size.networks, UNSEEN_SEED), tuple(anchors_of(space, ANCHORS))
    samples_us: Floats = np.empty((len(archs) + len(anchors), 0))
    noise_pct = np.inf
    while noise_pct > NOISE_PCT and samples_us.shape[1] < size.most_rounds:
        seed = samples_us.shape[1]
        more = measure_networks(TARGET, [*archs, *anchors], rounds=size.rounds, seed=seed, progress=silent)
        samples_us = np.hstack([samples_us, more.samples_us])
        noise_pct = split_half_pct(samples_us[: len(archs)], "median")
    medians_ms = np.median(samples_us, axis=1) / 1000
    return Truth(
        archs=archs,
        ms=medians_ms[: len(archs)],
        noise_pct=noise_pct,
        rounds=samples_us.shape[1],
        anchors=anchors,
        anchor_ms=medians_ms[len(archs) :],
    )


def built(space: SearchSpace, plan: MeasurePlan) -> tuple[LatencyTable, float]:
    """A table from nothing and the seconds that took."""
    start = time.monotonic()
    table = measure_space(space, TARGET, plan, known=None, seed=MEASURE_SEED, progress=silent)
    return table, time.monotonic() - start


def compared(table: LatencyTable, space: SearchSpace, truth: Truth) -> dict[str, Any]:
    """A table's predictions against measured networks."""
    model = model_of(table, space)
    archs_ms, anchors_ms = (np.array([model.arch_ms(arch) for arch in of]) for of in (truth.archs, truth.anchors))
    predicted_ms = truth.levelled(archs_ms, anchors_ms)
    return {
        **truth.figures(predicted_ms),
        "noise_pct": truth.noise_pct,
        "rounds": truth.rounds,
        "mape_own_level_pct": truth.figures(archs_ms)["mape_pct"],
        "mape_uncalibrated_pct": truth.figures(archs_ms / model.scale)["mape_pct"],
        "predicted_ms": predicted_ms.tolist(),
        "measured_ms": truth.ms.tolist(),
    }


def checked(space: SearchSpace, size: Size) -> dict[str, Any]:
    """Build a space's table and hold it against unseen networks."""
    table, seconds = built(space, size.plan)
    return {**compared(table, space, measured(space, size)), "build_seconds": seconds, "keys": len(table.rows)}
