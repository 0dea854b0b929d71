"""Every candidate trained alone for a little: scored by what it reached, stopped early where it falls behind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from nas.accuracy import ShortTrainingEvaluator, SupernetEvaluator
from nas.errors import InputError
from nas.net import Network, Supernet
from nas.searcher import Pruner
from nas.space import largest, smallest
from nas.training import Recipe
from tests.net.zoo import SPACE

SMALL, LARGE = SPACE.build(smallest), SPACE.build(largest)
RECIPE = Recipe(epochs=3, batch=32)


def evaluator(data, **more) -> ShortTrainingEvaluator:
    start = more.pop("start", partial(Network, seed=0))
    return ShortTrainingEvaluator(start, data, RECIPE, **{"origin": "fresh", "images": 32, **more})


def test_a_candidate_learns_and_scores_what_it_reached(data) -> None:
    evaluate = evaluator(data)
    score = evaluate(SMALL)
    (curve,) = evaluate.curves()
    assert len(curve) == 3
    assert score == curve[-1] > 0.6
    assert evaluate.standard_error(score) == pytest.approx((score * (1 - score) / 70) ** 0.5)
    assert evaluator(data)(SMALL) == score


def test_a_candidate_is_trained_once_by_all_runs_together(data, tmp_path, monkeypatch) -> None:
    score = evaluator(data, folder=tmp_path)(SMALL)

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a candidate was trained")

    monkeypatch.setattr("nas.accuracy.short_training.fine_tune", refuse)
    assert evaluator(data, folder=tmp_path).scores([SMALL, SMALL]) == [score, score]


def test_an_unpromising_candidate_is_stopped(data) -> None:
    asked = []

    def unpromising(curve: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
        asked.append((len(curve), len(others)))
        return len(others) == 1 and len(curve) == 2

    evaluate = evaluator(data, unpromising=unpromising)
    evaluate.scores([SMALL, LARGE])
    assert [len(curve) for curve in evaluate.curves()] == [3, 2]
    assert asked == [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1)]


def test_it_may_begin_with_inherited_weights(data) -> None:
    supernet = SupernetEvaluator(Supernet(LARGE, seed=0), data, images=32)
    assert 0 <= evaluator(data, start=supernet.network, origin=supernet.identity)(SMALL) <= 1


def test_the_training_is_part_of_the_identity(data) -> None:
    made = [
        evaluator(data),
        evaluator(data, origin="other"),
        evaluator(data, unpromising=Pruner()),
        evaluator(data, seed=1),
    ]
    assert len({evaluate.identity for evaluate in made}) == 4


def test_fewer_images_than_a_batch(data) -> None:
    with pytest.raises(InputError, match="fewer than a batch"):
        ShortTrainingEvaluator(partial(Network, seed=0), data, Recipe(epochs=1, batch=128), origin="")(SMALL)
