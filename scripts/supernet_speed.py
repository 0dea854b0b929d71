"""How fast a supernet trains beside a plain network, whether data keeps up, and how long a score takes."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

import numpy as np
from supernet_bench import Bench

from nas.accuracy import Blended
from nas.arch import Arch, cost
from nas.data import subset
from nas.net import Network
from nas.space import uniform
from nas.training.finetune import tuning_job
from nas.training.loop import Pace, train
from nas.training.supernet import SINGLE_PATH, supernet_job

AVERAGED = 300  # random networks that the average one is found among
SCORED = 20  # networks whose scoring is timed
VALIDATION = 2000  # images of a timed score, which recalibrates on 1,000
IN_TURNS = 5


def speed(bench: Bench) -> dict[str, Any]:
    """Images a second of both, in turns; the share of time that batches were waited for; seconds a score takes."""
    average = average_network(bench)
    recipe = replace(bench.truth.recipe, epochs=None, steps=bench.size.pace_steps)
    plain, paths = [], []
    for seed in range(IN_TURNS):
        start = Network(average, seed=seed)
        plain.append(train(tuning_job(start, bench.dataset, recipe, seed=seed, device=bench.device)))
        paths.append(train(supernet_job(bench.space, bench.dataset, recipe, seed=seed, device=bench.device)))
    return {
        "overhead": float(np.median([a.images_per_s / b.images_per_s for a, b in zip(plain, paths, strict=True)])),
        "supernet_images_per_s": _rate(paths),
        "plain_images_per_s": _rate(plain),
        "waiting_share": float(np.median([pace.waiting_share for pace in paths])),
        **_scoring(bench),
    }


def average_network(bench: Bench) -> Arch:
    """The network whose MACs are nearest to the mean of those that a supernet's steps train."""
    rng = random.Random(0)
    archs = [SINGLE_PATH.draw(bench.space, rng) for _ in range(AVERAGED)]
    macs = np.array([cost(arch).macs for arch in archs])
    return archs[int(np.abs(macs - macs.mean()).argmin())]


def _rate(paces: list[Pace]) -> float:
    return float(np.median([pace.images_per_s for pace in paces]))


def _scoring(bench: Bench) -> dict[str, float]:
    dataset = replace(bench.dataset, val=subset(bench.dataset.val, np.arange(VALIDATION)))
    rng, evaluator = random.Random(1), bench.blended(0, dataset)
    archs = [bench.space.build(uniform(rng)) for _ in range(SCORED)]
    evaluator(bench.archs[0])  # scores the reference networks as well
    first, again = ([_seconds(evaluator, arch) for arch in archs] for _ in range(2))
    return {"score_seconds": float(np.median(first)), "cached_ms": 1000 * float(np.median(again))}


def _seconds(evaluator: Blended, arch: Arch) -> float:
    start = time.perf_counter()
    evaluator(arch)
    return time.perf_counter() - start
