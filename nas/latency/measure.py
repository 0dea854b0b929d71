"""Build a table for a search space on this machine, or add the rows that some networks still need."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nas.arch import Arch, cost, digest
from nas.latency.fit import Observation, fit_rows
from nas.latency.kernels import Kernel
from nas.latency.model import LatencyModel
from nas.latency.proof import prove
from nas.latency.runtimes import make_runtime
from nas.latency.session import Measured, measure_networks
from nas.latency.table import Calibration, LatencyTable
from nas.latency.timing import STATISTICS, split_half_pct, steadiest
from nas.progress import Progress
from nas.space import SearchSpace, largest, smallest, uniform
from nas.target import Target

POOL = 1500  # random networks that the measured ones are chosen from
SIGHTINGS = 2  # networks that every kernel is seen in, where time allows
PILOT_ROUNDS = 5
LEAST_NETWORKS = 24
SETUP_S = 0.05  # loading and profiling one network, beside its runs


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasurePlan:
    """How much is measured.

    Attributes:
        networks: Most networks that rows are fitted to.
        anchors: Whole networks the calibration is fitted to.
        heldout: Whole networks the proof is made on.
        rounds: Timed runs a network.
        profile_runs: Profiled runs a network.
        seconds: Time the measuring should take; fewer networks are measured where they are slow, but every kernel is.
    """

    networks: int = 200
    anchors: int = 10
    heldout: int = 20
    rounds: int = 40
    profile_runs: int = 20
    seconds: float = 60.0


def space_key(space: SearchSpace) -> str:
    """Identifier of a space in a table: its name and a hash of its largest and smallest architectures."""
    ends = digest(space.build(largest)) + digest(space.build(smallest))
    return f"{space.name}-{hashlib.sha256(ends.encode()).hexdigest()[:8]}"


def model_of(table: LatencyTable, space: SearchSpace | None = None) -> LatencyModel:
    """The table's model; for a space without a calibration of its own the table's median one."""
    calibration = table.calibrations.get(space_key(space)) if space else None
    scales = [calibration] if calibration else list(table.calibrations.values())
    return LatencyModel(
        table=table,
        scale=float(np.median([item.scale for item in scales])) if scales else 1.0,
        kernels=make_runtime(table.target).kernels,
    )


def measure_space(
    space: SearchSpace, target: Target, plan: MeasurePlan, *, known: LatencyTable | None, seed: int, progress: Progress
) -> LatencyTable:
    """Measure the rows a space needs on this machine, calibrate and prove them on whole networks.

    Args:
        space: What must be priced.
        target: Device and runtime; this machine.
        plan: How much is measured.
        known: A table of the same target and host whose rows are kept.
        seed: Of the networks measured and their order.
        progress: Told as measuring advances.

    Raises:
        DeviceError: The runtime refuses a network, or measuring failed twice.
    """
    start = time.monotonic()
    runtime = make_runtime(target)
    rng = random.Random(seed)
    pool = _distinct([space.build(largest), space.build(smallest), *(space.build(uniform(rng)) for _ in range(POOL))])
    pool_kernels = [runtime.kernels(arch) for arch in pool]
    affordable = _affordable(pool, target, plan, progress)
    chosen = _cover(pool_kernels, set(known.rows) if known else set(), count=min(plan.networks, affordable))
    taken = set(chosen)
    unseen = [arch for i, arch in enumerate(pool) if i not in taken]
    checks = _spread(unseen or pool, plan.anchors + plan.heldout)  # a space may be too small to hold networks back
    archs = [pool[i] for i in chosen] + checks
    measured = _measure(archs, len(chosen), target, plan, seed=seed, progress=progress)
    statistic = steadiest(measured.samples_us)
    observations = _observe([pool_kernels[i] for i in chosen], measured, statistic)
    rows, overhead = fit_rows(
        observations, known=known.rows if known else {}, overhead=known.overhead if known else None
    )
    table = LatencyTable(
        target=target,
        host=runtime.host(target),
        measured_on=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        statistic=statistic,
        overhead=overhead,
        rows={**(known.rows if known else {}), **rows},
        calibrations=known.calibrations if known else {},
        seconds=(known.seconds if known else 0.0) + time.monotonic() - start,
    )
    return table.with_calibration(space_key(space), _calibrate(table, checks, measured, plan.anchors))


def extend(
    table: LatencyTable, archs: Sequence[Arch], plan: MeasurePlan, *, seed: int, progress: Progress
) -> LatencyTable:
    """Add the rows that networks need, measured in these networks themselves; known rows set the level.

    Raises:
        DeviceError: As for `measure_space`.
    """
    start = time.monotonic()
    kernels = make_runtime(table.target).kernels
    lacking = [arch for arch in archs if table.missing(kernel.key for kernel in kernels(arch))]
    if not lacking:
        return table
    chosen = [lacking[i] for i in _cover([kernels(arch) for arch in lacking], set(table.rows), count=0)]
    measured = _measure(chosen, len(chosen), table.target, plan, seed=seed, progress=progress)
    observations = _observe([kernels(arch) for arch in chosen], measured, table.statistic)
    rows, _ = fit_rows(observations, known=table.rows, overhead=table.overhead, refine=False)
    return replace(table.with_rows(rows), seconds=table.seconds + time.monotonic() - start)


def _measure(
    archs: Sequence[Arch], profiled: int, target: Target, plan: MeasurePlan, *, seed: int, progress: Progress
) -> Measured:
    return measure_networks(
        target,
        archs,
        rounds=plan.rounds,
        profile_runs=plan.profile_runs,
        profiled=profiled,
        seed=seed,
        progress=progress,
    )


def _affordable(pool: Sequence[Arch], target: Target, plan: MeasurePlan, progress: Progress) -> int:
    """How many networks the plan's seconds allow, from a few runs of the pool's ends and middle."""
    pilots = _spread(pool, 3)
    samples_us = measure_networks(target, pilots, rounds=PILOT_ROUNDS, progress=progress).samples_us
    run_s = float(np.median(samples_us)) / 1e6
    each_s = run_s * (2 * plan.rounds + plan.profile_runs) + SETUP_S
    return max(LEAST_NETWORKS, int(plan.seconds / each_s) - plan.anchors - plan.heldout)


def _distinct(archs: Sequence[Arch]) -> list[Arch]:
    return list({digest(arch): arch for arch in archs}.values())


def _spread(archs: Sequence[Arch], count: int) -> list[Arch]:
    """Networks spread evenly over the range of MACs, both ends included."""
    ordered = sorted(archs, key=lambda arch: cost(arch).macs)
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[i] for i in dict.fromkeys(places.tolist())]


def _cover(kernels: Sequence[Sequence[Kernel]], known: set[str], *, count: int) -> list[int]:
    """Networks in which every unknown kernel is seen, twice where `count` allows it, then more up to `count`.

    Greedy: each next network shows the most kernels that were not seen often enough.
    """
    keys = [key for key in dict.fromkeys(kernel.key for used in kernels for kernel in used) if key not in known]
    places = {key: i for i, key in enumerate(keys)}
    shows = np.zeros((len(kernels), len(keys)), dtype=np.int32)
    for i, used in enumerate(kernels):
        shows[i, [places[kernel.key] for kernel in used if kernel.key in places]] = 1
    chosen: list[int] = []
    for sighting in range(1, SIGHTINGS + 1):
        wanted = np.minimum(shows.sum(axis=0), sighting) - shows[chosen].sum(axis=0)
        while (wanted > 0).any() and (sighting == 1 or len(chosen) < count):
            gains = shows @ (wanted > 0)
            gains[chosen] = 0
            chosen.append(int(gains.argmax()))
            wanted -= shows[chosen[-1]]
    taken = set(chosen)
    rest = [i for i in range(len(kernels)) if i not in taken]
    return chosen + rest[: max(0, count - len(chosen))]


def _observe(kernels: Sequence[Sequence[Kernel]], measured: Measured, statistic: str) -> list[Observation]:
    totals_us = STATISTICS[statistic](measured.samples_us)
    return [
        Observation(kernels=tuple(used), total_us=float(total_us), profile=profile)
        for used, total_us, profile in zip(kernels, totals_us, measured.profiles, strict=False)
    ]


def _calibrate(table: LatencyTable, checks: Sequence[Arch], measured: Measured, anchors: int) -> Calibration:
    """Fit the level on the anchors and prove it on the rest; both by medians, which is what a budget is held to."""
    samples_us = measured.samples_us[-len(checks) :]
    is_anchor = np.zeros(len(checks), dtype=bool)
    count = min(anchors, max(1, len(checks) // 2))
    is_anchor[np.linspace(0, len(checks) - 1, count).round().astype(int)] = True
    is_heldout = ~is_anchor if len(checks) > 1 else is_anchor
    raw = LatencyModel(table=table, scale=1.0, kernels=make_runtime(table.target).kernels)
    summed_ms = np.array([raw.arch_ms(arch) for arch in checks])
    measured_ms = np.median(samples_us, axis=1) / 1000
    scale = float(np.median(measured_ms[is_anchor] / summed_ms[is_anchor]))
    proof = prove(
        scale * summed_ms[is_heldout],
        measured_ms[is_heldout],
        noise_pct=split_half_pct(samples_us[is_heldout], "median"),
    )
    return Calibration(scale=scale, anchors=int(is_anchor.sum()), proof=proof)
