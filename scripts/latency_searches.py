"""Small searches at random budgets: does what they find keep to its budget, and how much of it is used?

What is tried is the latency side: capacity (MACs) stands in for accuracy, nothing is trained. Each search is held to
its budget as a run of `nas.search` is: predictions leave the margin that the table's proof asks for, the winner is
timed beside anchors, and while the upper end of its interval is above the budget the search goes on with the margin
that the winner's own residual asks for.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from typing import Any

from nas.arch import Arch, cost
from nas.deploy import Verification, verify
from nas.latency.anchors import anchors_of
from nas.latency.measure import model_of, space_key
from nas.latency.model import LatencyModel
from nas.latency.session import measure_networks
from nas.latency.table import LatencyTable
from nas.latency.timing import summarise
from nas.pipeline.fitting import FITTINGS, SAFETY, first_margin
from nas.progress import silent
from nas.searcher import extremes, search
from nas.space import SearchSpace

EDGE = 0.05  # of the range of the latencies, on a logarithmic scale, that budgets keep away from its ends
TRIALS = 40
ANCHORS = 5
RETIMED_ROUNDS = 200


def random_budgets(space: SearchSpace, model: LatencyModel, count: int) -> list[float]:
    """Milliseconds, evenly spread in the logarithm between the space's fastest network and its slowest, by chance."""
    bounds, rng = extremes(space, model.arch_ms), random.Random(0)
    low, high = math.log(bounds.fastest.latency_ms), math.log(bounds.slowest.latency_ms)
    return [round(math.exp(low + (high - low) * rng.uniform(EDGE, 1 - EDGE)), 5) for _ in range(count)]


def run_searches(space: SearchSpace, table: LatencyTable, budgets_ms: Sequence[float]) -> dict[str, Any]:
    """Search once for every budget, then time all winners once more, interleaved.

    A search violates its budget when its own final check does not say PASS; `violations_retimed` counts the winners
    whose 95 % interval lies above the budget in the session afterwards.
    """
    found = [_searched(space, table, budget_ms, seed) for seed, budget_ms in enumerate(budgets_ms)]
    winners = [arch for arch, _ in found]
    samples_us = measure_networks(table.target, winners, rounds=RETIMED_ROUNDS, progress=silent).samples_us
    rows = [
        {**row, "retimed_low_ms": summarise(runs_us).low_us / 1000}
        for (_, row), runs_us in zip(found, samples_us, strict=True)
    ]
    return {
        "violations": sum(not row["kept"] for row in rows),
        "violations_retimed": sum(row["retimed_low_ms"] > row["budget_ms"] for row in rows),
        "median_use_pct": statistics.median(row["use_pct"] for row in rows),
        "searches": rows,
    }


def _searched(space: SearchSpace, table: LatencyTable, budget_ms: float, seed: int) -> tuple[Arch, dict[str, Any]]:
    model, margin = model_of(table, space), first_margin(table.calibrations[space_key(space)].proof)
    checks: list[Verification] = []
    while len(checks) < FITTINGS:
        found = search(
            space, _capacity, model.arch_ms, budget_ms=budget_ms * (1 - margin), trials=TRIALS, seed=seed
        ).best
        checks.append(
            verify(
                table.target, found.arch, anchors=anchors_of(space, ANCHORS), predict_ms=model.arch_ms, progress=silent
            )
        )
        high_ms = checks[-1].timing.high_us / 1000
        if high_ms <= budget_ms:
            break
        margin = 1 - (1 - SAFETY) * found.latency_ms / high_ms
    return found.arch, {
        "budget_ms": budget_ms,
        "kept": high_ms <= budget_ms,
        "attempts": len(checks),
        "predicted_ms": found.latency_ms,
        "measured_ms": checks[-1].timing.median_us / 1000,
        "measured_high_ms": high_ms,
        "use_pct": checks[-1].timing.median_us / 10 / budget_ms,
    }


def _capacity(arch: Arch) -> float:
    return math.log(cost(arch).macs)
