"""Recipes: how long, the schedule, the average of the weights, precision."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
import torch

from nas.convert import build
from nas.data import Augmentation, Dataset
from nas.errors import InputError
from nas.net import Network
from nas.space import smallest
from nas.training import Recipe, fine_tune, train_supernet
from nas.training.optimizer import Ema
from nas.training.precision import Scaling
from tests.net.zoo import SPACE
from tests.training.helpers import SHORT, same


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"epochs": 1, "steps": 1},
        {"epochs": 0},
        {"steps": 0},
        {"epochs": 1, "batch": 0},
        {"epochs": 1, "accumulate": 0},
        {"epochs": 1, "lr": 0.0},
        {"epochs": 1, "lr": float("nan")},
        {"epochs": 1, "clip_norm": -1.0},
        {"epochs": 1, "warmup": 1.1},
        {"epochs": 1, "ema": 1.0},
        {"epochs": 1, "weight_decay": -1.0},
    ],
)
def test_bad_values_are_refused(wrong) -> None:
    with pytest.raises(InputError):
        Recipe(**wrong)


def test_a_configuration_fills_it() -> None:
    recipe = build(Recipe, {"epochs": None, "steps": 5, "schedule": "exponential", "augment": {"flip": False}})
    assert recipe == Recipe(steps=5, schedule="exponential", augment=Augmentation(flip=False))
    with pytest.raises(InputError, match=r"recipe.schedule = 'cosinus'.*did you mean 'cosine'"):
        build(Recipe, {"epochs": 1, "schedule": "cosinus"}, "recipe")


@pytest.mark.parametrize("schedule", ["cosine", "exponential"])
@pytest.mark.parametrize("steps", [1, 2, 3, 1000])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 1.0])
def test_the_rate_rises_then_falls(schedule, steps: int, warmup: float) -> None:
    recipe = Recipe(steps=steps, schedule=schedule, warmup=warmup)
    rates = [recipe.lr_at(step, steps) for step in range(steps)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(recipe.lr)
    assert peak + 1 == max(1, round(warmup * steps))
    assert all(0 < a < b for a, b in pairwise(rates[: peak + 1]))
    assert all(a > b > 0 for a, b in pairwise(rates[peak:]))


def test_the_average_follows_the_weights() -> None:
    module = torch.nn.Linear(1, 1, bias=False)
    module.weight.data.fill_(0.0)
    average = Ema(module, 0.5)
    module.weight.data.fill_(1.0)
    for step, expected in ((0, 0.9), (100, 0.95)):  # at first it keeps a tenth
        average.follow(step)
        assert average.tensors["weight"].item() == pytest.approx(expected)
    average.settle()
    assert module.weight.item() == pytest.approx(0.95)


def test_an_averaged_supernet_differs_and_is_finite(data: Dataset) -> None:
    short = dataclasses.replace(SHORT, epochs=1)
    averaged = train_supernet(SPACE, data, dataclasses.replace(short, ema=0.9), seed=0)
    assert not same(averaged, train_supernet(SPACE, data, short, seed=0))
    assert all(tensor.isfinite().all() for tensor in averaged.state_dict().values())


def test_sixteen_bits(data: Dataset) -> None:
    half = dataclasses.replace(SHORT, epochs=1, precision="bf16")
    trained = train_supernet(SPACE, data, half, seed=0)
    whole = train_supernet(SPACE, data, dataclasses.replace(half, precision="fp32"), seed=0)
    assert all(tensor.dtype == torch.float32 for tensor in trained.state_dict().values())
    assert not same(trained, whole)
    torch.testing.assert_close(trained.tensors()["stem.weight"], whole.tensors()["stem.weight"], rtol=0, atol=0.1)
    with pytest.raises(InputError, match="fp16 needs device=cuda"):
        fine_tune(Network(SPACE.build(smallest)), data, dataclasses.replace(half, precision="fp16"), seed=0)


def test_a_loss_scale_that_is_too_large_falls_and_is_excused() -> None:
    scaling = Scaling("fp32", "cpu")
    scaling._scaler = torch.amp.GradScaler("cpu", enabled=True)
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.5)
    before = scaling._scaler.get_scale()
    for factor, finite in ((float("inf"), False), (1.0, True)):
        optimizer.zero_grad()
        scaling.backward(weight.sum() * factor)
        scaling.unscale(optimizer)
        assert scaling.may_overflow()
        scaling.step(optimizer, finite=finite)
    assert weight.item() == 0.5
    other = Scaling("fp32", "cpu")
    other._scaler = torch.amp.GradScaler("cpu", enabled=True)
    other.restore(scaling.state())
    assert other._scaler.get_scale() == before / 2
