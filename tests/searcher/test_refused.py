"""A network that the target does not run costs infinitely much: it is in no set, and the set stays a sum of tables."""

from __future__ import annotations

import dataclasses
import functools
import math
import random
from collections import Counter
from statistics import median

import pytest

from nas.arch import Arch, digest
from nas.latency.kernels import fused_kernels
from nas.latency.model import LatencyModel
from nas.latency.table import LatencyTable
from nas.searcher import search
from nas.searcher.bounds import extremes
from nas.searcher.feasible import FeasibleSet, feasible_set
from nas.space import largest, replay
from tests.latency.conftest import row, table
from tests.latency.simulated import keys_of, true_us
from tests.net.zoo import SPACE as TINY
from tests.searcher.enumeration import everything

__all__ = ["table"]  # a fixture
SPACE = dataclasses.replace(
    TINY,
    name="few",
    stem_widths=(8,),
    kernels=(3,),
    expansions=(1, 2),
    acts=("relu",),
    head_expansions=(1,),
    feature_widths=(0,),
    stages=(TINY.stages[0], dataclasses.replace(TINY.stages[1], depths=(1, 2))),
)
REFUSED = {"the largest network's": "se 32 8px sq8 hsigmoid relu", "another's": "se 8 4px sq8 hsigmoid relu"}


@functools.cache
def archs() -> tuple[Arch, ...]:
    return tuple(arch for arch, _ in everything(SPACE))


def runs(arch: Arch, key: str) -> bool:
    return key not in keys_of([arch])


@pytest.fixture(params=REFUSED.values(), ids=REFUSED)
def key(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(table: LatencyTable, key: str) -> LatencyModel:
    rows = {name: row(round(true_us(name), 4)) for name in sorted(keys_of(archs()) - {key})}
    known = dataclasses.replace(table, rows=rows, refused={key: "crashed"})
    return LatencyModel(table=known, scale=1.03, kernels=fused_kernels)


@pytest.fixture
def found(model: LatencyModel) -> FeasibleSet:
    return feasible_set(SPACE, model.arch_ms)


def test_the_set_counts_what_runs(found: FeasibleSet, model: LatencyModel, key: str) -> None:
    known = [model.arch_ms(arch) for arch in archs() if runs(arch, key)]
    assert all(map(math.isfinite, known))
    assert found.additive
    assert found.count(math.inf) == len(known) < len(archs())
    assert found.fastest().latency_ms == pytest.approx(min(known))
    assert found.slowest().latency_ms == pytest.approx(max(known))


def test_the_ends_of_the_space_run(model: LatencyModel, key: str) -> None:
    known = [model.arch_ms(arch) for arch in archs() if runs(arch, key)]
    bounds = extremes(SPACE, model.arch_ms)
    assert bounds.fastest.latency_ms == pytest.approx(min(known))
    assert bounds.slowest.latency_ms <= max(known)
    assert runs(bounds.slowest.arch, key)


def test_what_is_drawn_runs(found: FeasibleSet, key: str) -> None:
    rng, top = random.Random(0), found.slowest().latency_ms
    drawn = [found.sample(rng, low_ms=0.0, high_ms=top) for _ in range(100)]
    built = [SPACE.build(replay(choices)) for choices in drawn if choices is not None]
    assert len(built) == 100
    assert all(runs(arch, key) for arch in built)
    assert max(Counter(map(digest, built)).values()) < 20


def test_the_largest_network_may_be_refused(key: str) -> None:
    assert runs(SPACE.build(largest), key) == (key != REFUSED["the largest network's"])


@pytest.mark.parametrize("sampler", ["budget", "tpe", "random"])
def test_a_search_goes_past_what_does_not_run(model: LatencyModel, key: str, sampler: str) -> None:
    evaluated: list[Arch] = []

    def evaluate(arch: Arch) -> float:
        evaluated.append(arch)
        return len(arch.layers) + random.Random(digest(arch)).random()

    budget_ms = median(ms for ms in map(model.arch_ms, archs()) if math.isfinite(ms))
    search(SPACE, evaluate, model.arch_ms, budget_ms=budget_ms, trials=16, seed=0, sampler=sampler)
    assert len(evaluated) == 16
    assert all(runs(arch, key) for arch in evaluated)
