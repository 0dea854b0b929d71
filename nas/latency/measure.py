"""Build a table for a search space on this machine, or add the rows that some networks still need."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.arch import Arch, cost, digest
from nas.errors import DeviceError
from nas.latency.anchors import anchors_of, by_digest, spread
from nas.latency.bench import Bench, Findings, MeasurePlan
from nas.latency.context import in_context
from nas.latency.design import cells_of, cover, suspects
from nas.latency.fit import NO_OVERHEAD, fit_rows
from nas.latency.grain import find_grain
from nas.latency.model import MOST_SD, LatencyModel
from nas.latency.probes import Vocabulary
from nas.latency.proof import prove
from nas.latency.runtimes import make_runtime
from nas.latency.table import Calibration, Grain, LatencyTable
from nas.latency.timing import UNTIMED_RUNS, split_half_pct
from nas.progress import Progress
from nas.space import SearchSpace, largest, smallest, typical
from nas.target import Target

__all__ = ["MeasurePlan", "extend", "measure_space", "model_of", "space_key"]

POOL = 1500  # random networks that the measured ones are chosen from
DISAGREEMENT = 0.10  # of the two views of a row, beyond which it is measured again
AGAIN = 0.25  # of the networks measured, as many more at most: for that, and to find what a runtime refuses


def space_key(space: SearchSpace) -> str:
    """Identifier of a space in a table: its name and a hash of its largest and smallest architectures."""
    ends = digest(space.build(largest)) + digest(space.build(smallest))
    return f"{space.name}-{hashlib.sha256(ends.encode()).hexdigest()[:8]}"


def model_of(table: LatencyTable, space: SearchSpace | None = None) -> LatencyModel:
    """The table's model; for a space without a calibration of its own the table's median one.

    Of the vocabulary: the model of any network, in which a kernel has a price however far it is from those measured.
    """
    calibration = table.calibrations.get(space_key(space)) if space else None
    scales = [calibration] if calibration else list(table.calibrations.values())
    kernels = make_runtime(table.target).kernels
    any_network = isinstance(space, Vocabulary)
    return LatencyModel(
        table=table,
        scale=float(np.median([item.scale for item in scales])) if scales else 1.0,
        kernels=in_context(kernels) if any_network else kernels,
        most_sd=math.inf if any_network else MOST_SD,
    )


def measure_space(
    space: SearchSpace,
    target: Target,
    plan: MeasurePlan,
    *,
    known: LatencyTable | None,
    seed: int,
    progress: Progress,
    folder: Path | None = None,
) -> LatencyTable:
    """Measure the rows a space needs on this machine, calibrate and prove them on whole networks.

    Args:
        space: What must be priced.
        target: Device and runtime; this machine.
        plan: How much is measured.
        known: A table of the same target and host whose rows are kept.
        seed: Of the networks measured and their order.
        progress: Told as measuring advances.
        folder: Where findings are kept as they are made: the same call goes on there. None: nowhere.

    Raises:
        DeviceError: The runtime refuses every network, measuring failed twice, or the machine is too noisy.
    """
    start = time.monotonic()
    bench = Bench(target=target, plan=plan, seed=seed, progress=progress, folder=folder)
    pool, anchors, heldout = _split(space, plan, random.Random(seed))
    grain = known.grain if known and known.grain else None
    grain = grain or find_grain(target, seed=seed, progress=progress, folder=bench.part("grain"))
    done = set(known.rows) | set(known.refused) if known else set()
    count = bench.affordable(pool)
    shown = cells_of([bench.keys(arch) for arch in pool], done) if plan.cover else []
    archs = [pool[i] for i in cover(shown, count=count)] if plan.cover else pool[:count]
    checks = [*anchors, *heldout]
    findings = bench.measure("rows", archs, checks)
    base = replace(known, grain=grain, noise=findings.noise) if known else _blank(bench, grain, findings)
    table = _fitted(base, findings)
    _require(np.isfinite(findings.check_samples_us.sum(axis=1))[: len(anchors)], table, "set its level")
    again = _again(table, findings, pool, bench)
    if again:
        findings = findings.joined(bench.measure("again", again, anchors))
        table = _fitted(base, findings)
    table = replace(table, seconds=base.seconds + time.monotonic() - start)
    calibration = _calibration(table, findings, checks, bench, anchors=len(anchors))
    return table.with_calibration(space_key(space), calibration)


def extend(
    table: LatencyTable, archs: Sequence[Arch], plan: MeasurePlan, *, seed: int, progress: Progress
) -> LatencyTable:
    """Add the rows that networks need, measured in these networks themselves; known rows set the level.

    Raises:
        DeviceError: As for `measure_space`.
    """
    start = time.monotonic()
    bench = Bench(target=table.target, plan=plan, seed=seed, progress=progress, folder=None)
    lacking = [arch for arch in archs if table.missing(bench.keys(arch))]
    if not lacking:
        return table
    needed = [table.missing(bench.keys(arch)) for arch in lacking]
    findings = bench.measure("rows", [lacking[i] for i in cover(needed, count=0)], ())
    return replace(_fitted(table, findings, refine=False), seconds=table.seconds + time.monotonic() - start)


def _split(space: SearchSpace, plan: MeasurePlan, rng: random.Random) -> tuple[list[Arch], list[Arch], list[Arch]]:
    """Networks to fit rows to, anchors, and held-out networks; a tiny space has none to hold back."""
    drawn = (space.build(typical(space, rng)) for _ in range(POOL))
    every = by_digest([space.build(largest), space.build(smallest), *drawn])
    anchors = list(anchors_of(space, plan.anchors))
    rest = _without(every, anchors)
    heldout = spread(list((rest or every).values()), plan.heldout)
    return list((_without(rest, heldout) or every).values()), anchors, heldout


def _blank(bench: Bench, grain: Grain, findings: Findings) -> LatencyTable:
    """A table without rows."""
    return LatencyTable(
        target=bench.target,
        host=make_runtime(bench.target).host(bench.target),
        measured_on=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        statistic=findings.statistic,
        overhead=NO_OVERHEAD,
        rows={},
        refused={},
        grain=grain,
        noise=findings.noise,
        calibrations={},
        seconds=0.0,
        untimed_runs=UNTIMED_RUNS,
    )


def _without(archs: Mapping[str, Arch], taken: Sequence[Arch]) -> dict[str, Arch]:
    digests = set(map(digest, taken))
    return {key: arch for key, arch in archs.items() if key not in digests}


def _fitted(known: LatencyTable, findings: Findings, *, refine: bool = True) -> LatencyTable:
    """The table with the rows that were found, and what the runtime refuses."""
    rows, overhead = fit_rows(
        findings.observations(known.statistic),
        known=known.rows,
        overhead=known.overhead if known.rows else None,
        grain=known.channel_grain,
        refine=refine,
    )
    refused = suspects(findings.keys, findings.failed)
    return replace(known, overhead=overhead, rows={**known.rows, **rows}, refused={**known.refused, **refused})


def _again(table: LatencyTable, findings: Findings, pool: Sequence[Arch], bench: Bench) -> list[Arch]:
    """Networks to measure as well: where two views of a row disagree, and to tell what it is that a runtime refuses."""
    seen = {key for keys in findings.keys for key in keys}
    refused = seen & set(table.refused)
    moved = {key for key in seen & set(table.rows) if abs(table.rows[key].disagreement) > DISAGREEMENT}
    doubtful = moved if bench.plan.cover else set()  # random networks show few kernels twice
    if not (refused or doubtful):
        return []
    fresh = list(_without(by_digest(pool), findings.archs).values())
    shown = [[key for key in bench.keys(arch) if key in doubtful or key in refused] for arch in fresh]
    telling = [keys if len(refused.intersection(keys)) <= 1 else [] for keys in shown]  # one suspect is guilty or not
    return [fresh[i] for i in cover(telling, count=0)[: int(AGAIN * len(findings.archs))]]


def _calibration(
    table: LatencyTable, findings: Findings, checks: Sequence[Arch], bench: Bench, *, anchors: int
) -> Calibration:
    """Fit the level on the anchors, the first checks, and prove it on the rest.

    Both by medians, which is what a budget is held to. Checks that failed or that the rows cannot price are left out.

    Raises:
        DeviceError: No anchor is left, or nothing to prove the table on.
    """
    raw = LatencyModel(table=table, scale=1.0, kernels=bench.kernels)
    summed_ms = np.array([math.nan if raw.missing([arch]) else raw.arch_ms(arch) for arch in checks])
    measured_ms = np.median(findings.check_samples_us, axis=1) / 1000
    usable = np.isfinite(summed_ms) & np.isfinite(measured_ms)
    is_anchor = usable & (np.arange(len(checks)) < anchors)
    is_heldout = usable & ~is_anchor
    _require(is_anchor[:anchors], table, "set its level")
    _require(is_heldout[anchors:], table, "prove it")
    heldout = [arch for arch, held in zip(checks, is_heldout, strict=True) if held]
    scale = float(np.median(measured_ms[is_anchor] / summed_ms[is_anchor]))
    return Calibration(
        scale=scale,
        anchors=anchors,
        anchored_on=table.measured_on,
        uncalibrated_mape_pct=float(np.abs(summed_ms / measured_ms - 1)[is_heldout].mean() * 100),
        proof=prove(
            scale * summed_ms[is_heldout],
            measured_ms[is_heldout],
            noise_pct=split_half_pct(findings.check_samples_us[is_heldout], "median"),
            macs=[cost(arch).macs for arch in heldout],
            breakdowns=[raw.breakdown(arch) for arch in heldout],
        ),
    )


def _require(usable: NDArray[np.bool_], table: LatencyTable, purpose: str) -> None:
    if not usable.any():
        reason = next(iter(table.refused.values()), "it lacks their rows")
        raise DeviceError(
            f"the table of {table.target.name} is given up: none of the {len(usable)} networks timed to {purpose} "
            f"can be used: {reason}"
        )
