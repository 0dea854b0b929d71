"""Scores of inherited weights: deterministic, cached, recalibrated."""

from __future__ import annotations

import random

import pytest
import torch

from nas.accuracy import SupernetEvaluator, accuracy, standard_error
from nas.data import load_fashion_mnist
from nas.net import Network, Supernet
from nas.space import largest, smallest, uniform
from tests.net.zoo import SPACE


def test_a_score_depends_on_the_network_alone() -> None:
    data, supernet = load_fashion_mnist(), Supernet(SPACE.build(largest), seed=5)
    arch, other = SPACE.build(smallest), SPACE.build(uniform(random.Random(3)))
    first, second = SupernetEvaluator(supernet, data), SupernetEvaluator(supernet, data)
    second(other)
    assert first(arch) == second(arch)
    assert 0 <= first(arch) <= 1


def test_a_network_is_scored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data, supernet = load_fashion_mnist(), Supernet(SPACE.build(largest))
    evaluate, arch = SupernetEvaluator(supernet, data), SPACE.build(smallest)
    score = evaluate(arch)
    monkeypatch.setattr(evaluate, "network", None)
    assert evaluate(SPACE.build(smallest)) == score


def test_the_scored_network_has_the_statistics_of_training_images() -> None:
    data, supernet = load_fashion_mnist(), Supernet(SPACE.build(largest))
    network = SupernetEvaluator(supernet, data).network(SPACE.build(smallest))
    assert not network.training
    assert network.tensors()["stem.var"].ne(1).all()


def test_accuracy_counts_hits_in_evaluation_mode() -> None:
    data = load_fashion_mnist()
    network = Network(SPACE.build(smallest)).train()
    with torch.no_grad():
        network.get_parameter("classifier.weight").zero_()
        network.get_parameter("classifier.bias").copy_(torch.arange(10.0) == 3)
    assert accuracy(network, data.test, data) == pytest.approx(0.1)
    assert network.training
    assert not network.tensors()["stem.mean"].any()


def test_standard_error() -> None:
    assert standard_error(0.5, 100) == 0.05
