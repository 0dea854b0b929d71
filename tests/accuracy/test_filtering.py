"""A cheap filter declines candidates in the open: nothing is made up for them."""

from __future__ import annotations

import random

import pytest

from nas.accuracy import CallableEvaluator, Filter, Filtered, ProxyEvaluator
from nas.arch import Arch, cost
from nas.errors import DeclinedError, InputError
from nas.space import largest, smallest, uniform
from tests.net.zoo import SPACE

SMALL, LARGE = SPACE.build(smallest), SPACE.build(largest)
RNG = random.Random(0)
OTHERS = sorted((SPACE.build(uniform(RNG)) for _ in range(12)), key=lambda arch: cost(arch).macs)


def depth(arch: Arch) -> float:
    return float(len(arch.layers))


def filtered(data, share: float, folder=None) -> Filtered:
    expensive = CallableEvaluator(depth, name="depth", identity="depth", is_accuracy=True)
    return Filtered(expensive, ProxyEvaluator("macs", data, folder=folder), share=share)


def test_the_first_pass_and_then_the_best_share(data, tmp_path) -> None:
    evaluate = filtered(data, 0.5, tmp_path)
    assert [evaluate(arch) for arch in OTHERS[:10]] == [depth(arch) for arch in OTHERS[:10]]
    with pytest.raises(DeclinedError, match="is below"):
        evaluate(SMALL)
    assert evaluate(LARGE) == depth(LARGE)
    assert evaluate.candidates() == 12
    with pytest.raises(DeclinedError):  # the same in a later process
        filtered(data, 0.5, tmp_path)(SMALL)


def test_a_share_of_one_declines_nothing(data) -> None:
    evaluate = filtered(data, 1.0)
    assert [evaluate(arch) for arch in reversed([SMALL, *OTHERS])]


def test_who_names_networks_gets_their_scores(data) -> None:
    evaluate = filtered(data, 0.01)
    assert evaluate.scores([*OTHERS, SMALL]) == [depth(arch) for arch in [*OTHERS, SMALL]]


def test_it_reports_as_the_evaluator_behind_it(data) -> None:
    evaluate = filtered(data, 0.5)
    assert evaluate.is_accuracy
    assert evaluate.name == "depth, after zero_cost macs"
    assert evaluate.standard_error(0.5) is None
    assert evaluate.identity != filtered(data, 0.25).identity


@pytest.mark.parametrize("share", [0.0, -1.0, 1.01])
def test_a_share_out_of_range(share: float) -> None:
    with pytest.raises(InputError, match=r"accuracy.filter_share = .*must be above 0 and at most 1"):
        Filter(proxy="macs", share=share)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_function_must_give_a_number(score: float) -> None:
    with pytest.raises(InputError, match="a score must be a finite number"):
        CallableEvaluator(lambda _: score, name="mine", identity="")(SMALL)


def test_a_function_is_asked_once(tmp_path) -> None:
    asked: list[Arch] = []

    def count(arch: Arch) -> float:
        asked.append(arch)
        return float(len(asked))

    evaluate = CallableEvaluator(count, name="count", identity="1", folder=tmp_path)
    assert evaluate.scores([SMALL, LARGE, SMALL]) == [1, 2, 1]
    assert CallableEvaluator(count, name="count", identity="1", folder=tmp_path)(LARGE) == 2
    assert evaluate.standard_error(1.0) is None
