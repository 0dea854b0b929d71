"""What each way of choosing moves costs and brings: one network, one budget, one choice changed at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from trim_bench import Bench
from trim_cases import MARGIN
from trim_jobs import Jobs, job
from trim_methods import trim_to, tune_on

from nas.netadapt import Rule, TrimSettings, Weighing

NAME, RATIO = "mobilenet_v3_small", 0.6
BESIDE = 0.9  # of the latency: a few moves, timed with one thread and with two
IN_TURNS = 3
SHORT = TrimSettings(shortlist=4)  # so many proposals a move are scored after recalibration, none is trained
VARIANTS = {
    "score 4": SHORT,
    "score 4, taylor": replace(SHORT, importance=Weighing.TAYLOR),
    "score 4, train 2 x 20": replace(SHORT, tune_top=2, tune_steps=20),
    "score 4, bn_scale": replace(SHORT, importance=Weighing.BN_SCALE),
    "score 4, accuracy rule": replace(SHORT, rule=Rule.ACCURACY),
    "score 1": replace(SHORT, shortlist=1),
    "score 8": replace(SHORT, shortlist=8),
}


def choices(bench: Bench, jobs: Jobs) -> dict[str, Any]:
    """By variant: seconds of trimming, validation accuracy then, and test accuracy after further training."""
    budget_ms = RATIO * (1 - MARGIN) * bench.model(NAME).arch_ms(bench.arch(NAME))
    trimming = {
        f"{NAME} {name}": job(trim_to, NAME, "base", f"choice-{place}.start", budget_ms=budget_ms, settings=settings)
        for place, (name, settings) in enumerate(VARIANTS.items())
    }
    trimmed = jobs.done(bench, "choice_trimmed", trimming)
    tuning = {
        f"{NAME} {name}": job(tune_on, NAME, f"choice-{place}.start", f"choice-{place}", bench.size.choice)
        for place, name in enumerate(VARIANTS)
    }
    tuned = jobs.done(bench, "choice_trained", tuning)
    found = {}
    for name in VARIANTS:
        before, after = trimmed[f"{NAME} {name}"], tuned[f"{NAME} {name}"]
        found[name] = {
            "trim_seconds": before["seconds"],
            "moves": len(before["moves"]),
            "validation": before["accuracy"],
            "accuracy": after["accuracy"],
            "points_per_minute": 100 * after["accuracy"] / (before["seconds"] + after["seconds"]) * 60,
        }
    return {"choices": found, "side_by_side_speedup": _side_by_side(bench)}


def _side_by_side(bench: Bench) -> float:
    """How much sooner the first moves are made when two proposals are scored at once, and nothing else runs."""
    budget_ms = BESIDE * bench.model(NAME).arch_ms(bench.arch(NAME))

    def seconds(workers: int) -> float:
        key = f"beside-{workers}.start"
        found = trim_to(bench.setup, NAME, "base", key, budget_ms=budget_ms, settings=SHORT, workers=workers)
        return float(found["seconds"])

    return float(np.median([seconds(1) / seconds(2) for _ in range(IN_TURNS)]))
