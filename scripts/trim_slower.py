"""Whether anything that trimming proposes is slower than what it comes from, when both are timed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from trim_bench import RATIOS, SEED, Bench
from trim_jobs import Jobs

from nas.arch import Arch
from nas.latency.session import measure_networks
from nas.netadapt import propose, shrink
from nas.progress import silent

STATES = 4  # of a path, whose proposals are all timed
CLEAR = 3.0  # standard errors of a difference


def slower(bench: Bench, _jobs: Jobs) -> dict[str, Any]:
    """Networks that are slower than their parent: by the medians, and beyond doubt."""
    found = {name: bench.once("slower", name, partial(_slower, bench, name)) for name in bench.size.networks}
    return {
        "timed_networks": sum(one["timed"] for one in found.values()),
        "slower_medians": sum(one["slower_medians"] for one in found.values()),
        "slower_networks": sum(one["slower"] for one in found.values()),
        "most_slower_pct": max(one["most_slower_pct"] for one in found.values()),
    }


def _slower(bench: Bench, name: str) -> dict[str, float]:
    path = _path(bench, name)
    pairs = list(itertools.pairwise(path))
    saving_ms = bench.size.trim.step * bench.model(name).arch_ms(path[0])
    for place in np.linspace(0, len(path) - 1, STATES).round().astype(int):
        proposals = propose(
            path[0], path[place], saving_ms=saving_ms, latency=bench.model(name).arch_ms, grain=bench.grain
        )
        pairs += [(path[place], proposal.arch) for proposal in proposals]
    archs = list(dict.fromkeys(arch for pair in pairs for arch in pair))
    runs = measure_networks(bench.settings.target, archs, rounds=bench.size.rounds, seed=SEED, progress=silent)
    medians = np.median(runs.samples_us, axis=1)
    quarters = np.quantile(runs.samples_us, (0.25, 0.75), axis=1)
    errors = 1.25 * (quarters[1] - quarters[0]) / 1.35 / np.sqrt(runs.samples_us.shape[1])  # of a median
    place_of = {arch: i for i, arch in enumerate(archs)}
    before, after = (np.array([place_of[pair[side]] for pair in pairs]) for side in (0, 1))
    longer = medians[after] / medians[before] - 1
    doubt = np.hypot(errors[after], errors[before]) / medians[before]
    return {
        "timed": len(pairs),
        "slower_medians": int((longer > 0).sum()),
        "slower": int((longer > CLEAR * doubt).sum()),
        "most_slower_pct": 100 * float(longer.max()),
    }


def _path(bench: Bench, name: str) -> Sequence[Arch]:
    """The network before trimming and after every move, through all ratios."""
    found = [bench.arch(name)]
    for ratio in RATIOS:
        attempt = bench.result["attempts"][f"{name} {ratio:g}"]
        seed = found[-1]
        for move in bench.result["trimmed"][f"{name} {ratio:g} attempt {attempt}"]["moves"]:
            found.append(shrink(seed, found[-1], move["width"], move["channels_after"], grain=bench.grain))
    return found
