"""A blended score lies between an evaluator's and what a zero-cost score makes one expect."""

from __future__ import annotations

import random

import numpy as np
import pytest

from nas.accuracy import Blended, CallableEvaluator, ProxyEvaluator
from nas.arch import Arch, cost
from nas.space import largest, smallest, uniform
from tests.net.zoo import SPACE

SMALL, LARGE = SPACE.build(smallest), SPACE.build(largest)
RNG = random.Random(0)
ARCHS = [SPACE.build(uniform(RNG)) for _ in range(12)]


def by_layers(arch: Arch) -> float:
    return len(arch.layers) / 100


def blended(data, references=ARCHS, of=by_layers, *, is_accuracy: bool = True, share: float = 0.5) -> Blended:
    evaluator = CallableEvaluator(of, name="layers", identity="layers", is_accuracy=is_accuracy)
    return Blended(evaluator, ProxyEvaluator("macs", data), references, share=share)


def test_means_and_spreads_of_both_count_alike(data) -> None:
    found = np.array(blended(data).scores(ARCHS))
    own, macs = np.array([by_layers(arch) for arch in ARCHS]), np.array([float(cost(arch).macs) for arch in ARCHS])
    expected = own.mean() + own.std() * (macs - macs.mean()) / macs.std()
    assert found == pytest.approx((own + expected) / 2)
    assert found.mean() == pytest.approx(own.mean())


def test_nothing_and_all_of_the_zero_cost_score(data) -> None:
    assert blended(data, share=0.0).scores(ARCHS) == pytest.approx([by_layers(arch) for arch in ARCHS])
    by_macs = blended(data, share=1.0).scores(ARCHS)
    assert sorted(ARCHS, key=lambda arch: cost(arch).macs) == [ARCHS[i] for i in np.argsort(by_macs, kind="stable")]


def test_a_score_that_is_an_accuracy_stays_one(data) -> None:
    few = sorted(ARCHS, key=lambda arch: cost(arch).macs)[:2]

    def rising(arch: Arch) -> float:
        return 0.99 if arch == few[1] else 0.5

    assert blended(data, few, rising)(LARGE) == 1.0
    assert blended(data, few, rising, is_accuracy=False)(LARGE) > 1.0


def test_references_that_a_zero_cost_score_cannot_tell_apart_expect_their_mean(data) -> None:
    assert blended(data, [SMALL, SMALL])(LARGE) == pytest.approx((by_layers(LARGE) + by_layers(SMALL)) / 2)


def test_it_reports_as_both(data) -> None:
    evaluate = blended(data)
    assert evaluate.name == "layers and zero_cost macs"
    assert evaluate.is_accuracy
    assert evaluate.standard_error(0.5) is None
    assert len({evaluate.identity, blended(data, ARCHS[1:]).identity, blended(data, share=0.2).identity}) == 3
