"""Scores of inherited weights: deterministic, recalibrated, kept."""

from __future__ import annotations

import pickle
import random
from typing import Any

import pytest
import torch

from nas.accuracy import SupernetEvaluator, accuracy, standard_error
from nas.errors import InputError
from nas.net import Network, Supernet
from nas.space import largest, smallest, uniform
from tests.net.zoo import SPACE

SMALL, LARGE = SPACE.build(smallest), SPACE.build(largest)


def evaluator(data, *, seed: int = 5, **options: Any) -> SupernetEvaluator:
    return SupernetEvaluator(Supernet(LARGE, seed=seed), data, images=32, **options)


def test_a_score_depends_on_the_network_alone(data) -> None:
    first, second = evaluator(data), evaluator(data)
    second(SPACE.build(uniform(random.Random(3))))
    assert first(SMALL) == second(SMALL)
    assert 0 <= first(SMALL) <= 1


def test_a_score_is_that_of_the_recalibrated_network(data) -> None:
    evaluate = evaluator(data, smooth=0.0)
    network = evaluate.network(SMALL)
    assert not network.training
    assert network.tensors()["stem.var"].ne(1).all()
    assert evaluate(SMALL) == accuracy(network, data.val, data)


def test_the_largest_networks_smoothed_score_is_its_share(data) -> None:
    smoothed, plain = evaluator(data), evaluator(data, smooth=0.0)
    assert smoothed(LARGE) == pytest.approx(plain(LARGE))
    assert smoothed(SMALL) != plain(SMALL)
    assert smoothed.identity != plain.identity


def test_a_network_is_scored_once_by_all_runs_together(data, tmp_path, monkeypatch) -> None:
    scored = evaluator(data, folder=tmp_path)(SMALL)
    later = evaluator(data, folder=tmp_path)
    monkeypatch.setattr(later, "network", None)
    assert later(SPACE.build(smallest)) == scored
    assert pickle.loads(pickle.dumps(later))(SMALL) == scored  # noqa: S301 - its own


def test_scores_of_other_weights_or_images_are_kept_apart(data, tmp_path) -> None:
    identities = {evaluator(data).identity, evaluator(data, seed=6).identity}
    identities.add(SupernetEvaluator(Supernet(LARGE, seed=5), data, images=31).identity)
    assert len(identities) == 3
    evaluator(data, folder=tmp_path)(SMALL)
    evaluator(data, seed=6, folder=tmp_path)(SMALL)
    assert len(list(tmp_path.glob("scores-*.json"))) == 2


def test_a_batch_is_scored_in_one_call(data) -> None:
    archs = [SMALL, SPACE.build(uniform(random.Random(3))), SMALL]
    evaluate = evaluator(data)
    assert evaluate.scores(archs) == [evaluate(arch) for arch in archs]


def test_a_network_that_is_not_in_the_supernet_is_refused(data) -> None:
    with pytest.raises(InputError, match="does not fit in the larger network"):
        evaluator(data)(LARGE.with_widths({"stem": 64}))


def test_the_standard_error_is_that_of_the_validation_images(data) -> None:
    assert evaluator(data).standard_error(0.5) == standard_error(0.5, 70) == pytest.approx(0.5 / 70**0.5)
    assert standard_error(0.5, 100) == 0.05


def test_accuracy_counts_hits_in_evaluation_mode(data) -> None:
    network = Network(SMALL).train()
    with torch.no_grad():
        network.get_parameter("classifier.weight").zero_()
        network.get_parameter("classifier.bias").copy_(torch.arange(10.0) == 1)
        network.tensors()["stem.mean"].fill_(0.5)
    assert accuracy(network, data.test, data) == pytest.approx(0.5)
    assert network.training
    assert (network.tensors()["stem.mean"] == 0.5).all()
