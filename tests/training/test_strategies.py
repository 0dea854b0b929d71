"""What a step of the supernet trains, and how its gradients come together."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
import torch

from nas.arch import cost
from nas.data import Augmentation, Dataset
from nas.errors import InputError
from nas.net import Supernet, batch_statistics
from nas.space import largest, smallest, uniform
from nas.training import Recipe, Sandwich, SinglePath, train_supernet
from nas.training.step import StepInput, loss_of
from nas.training.strategies import Paths, step_of
from tests.net.zoo import SPACE
from tests.training.helpers import SHORT

PLAIN = Augmentation(flip=False, shift_px=0)


def paths_of(data: Dataset) -> Paths:
    supernet = Supernet(SPACE.build(largest), seed=0)
    return Paths(space=SPACE, supernet=supernet, dataset=data, recipe=SHORT, norm=batch_statistics)


def given(data: Dataset, *, done: float = 0.0, images: int = 16) -> StepInput:
    raw, labels = data.train.take(np.arange(images)), data.train.labels[:images]
    return StepInput(raw=torch.from_numpy(raw), targets=torch.from_numpy(labels), rng=random.Random(0), done=done)


def gradients(paths: Paths, strategy: SinglePath | Sandwich, seen: StepInput) -> tuple[dict[str, torch.Tensor], float]:
    paths.supernet.zero_grad(set_to_none=True)
    loss = step_of(strategy, paths)(seen, lambda loss: loss.backward())
    assert not loss.requires_grad
    return {name: p.grad.clone() for name, p in paths.supernet.named_parameters() if p.grad is not None}, float(loss)


def test_a_sandwich_of_two_is_the_mean_of_largest_and_smallest(data: Dataset) -> None:
    paths, seen = paths_of(data), given(data)
    found, loss = gradients(paths, Sandwich(random_paths=0), seen)
    paths.supernet.zero_grad(set_to_none=True)
    losses = [paths.loss(paths.logits(SPACE.build(choose), seen), seen) for choose in (largest, smallest)]
    (sum(losses) / 2).backward()
    assert loss == pytest.approx(float(sum(losses).detach()) / 2, rel=1e-5)
    for name, parameter in paths.supernet.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, msg=name)


def test_the_others_learn_from_the_largest_late_only(data: Dataset) -> None:
    paths, rule = paths_of(data), Sandwich(random_paths=0, distill_from=0.5)
    early, _ = gradients(paths, rule, given(data, done=0.49))
    late, _ = gradients(paths, rule, given(data, done=0.5))
    never, _ = gradients(paths, Sandwich(random_paths=0, distill_from=1.0), given(data, done=1.0))
    differs = {name for name in early if not torch.equal(early[name], late[name])}
    assert differs
    assert all(torch.equal(early[name], never[name]) for name in early)
    deep = next(name for name in early if name.startswith("s1.b2"))  # the smallest network has no such block
    assert deep not in differs


def test_a_single_path_leaves_other_weights_alone(data: Dataset) -> None:
    found, _ = gradients(paths_of(data), SinglePath(), given(data))
    assert "stem.weight" in found
    assert len(found) < len(list(paths_of(data).supernet.parameters()))


def test_a_single_path_trains_the_largest_of_those_drawn(data: Dataset) -> None:
    seen = given(data)
    drawn = [SPACE.build(uniform(rng)) for rng in [random.Random(0)] for _ in range(4)]
    paths = paths_of(data)
    expected = paths.loss(paths.logits(max(drawn, key=lambda arch: cost(arch).macs), seen), seen)
    _, loss = gradients(paths, SinglePath(largest_of=4), seen)
    assert loss == pytest.approx(float(expected.detach()))


def test_each_network_reads_its_own_resolution(data: Dataset) -> None:
    seen = []

    def norm(name, x, gamma, beta):
        if name == "stem":
            seen.append(x.shape[-1] * 2)
        return batch_statistics(name, x, gamma, beta)

    space = dataclasses.replace(SPACE, sizes_px=(16, 24))
    supernet = Supernet(space.build(largest), seed=0)
    paths = Paths(space=space, supernet=supernet, dataset=data, recipe=SHORT, norm=norm)
    step_of(Sandwich(random_paths=0), paths)(given(data), lambda _loss: None)
    assert seen == [24, 16]


def test_accumulated_batches_make_one_step(data: Dataset) -> None:
    halves = Recipe(steps=2, batch=32, accumulate=2, lr=0.01, augment=PLAIN)
    whole = dataclasses.replace(halves, batch=64, accumulate=1)
    first, second = (train_supernet(SPACE, data, recipe, seed=1) for recipe in (halves, whole))
    start = Supernet(SPACE.build(largest), seed=1)
    moved = torch.cat([(p - q).flatten() for p, q in zip(second.parameters(), start.parameters(), strict=True)])
    apart = torch.cat([(p - q).flatten() for p, q in zip(second.parameters(), first.parameters(), strict=True)])
    assert apart.norm() < 0.5 * moved.norm()  # batch norm sees halves: near, not equal


def test_mixed_labels_and_a_teacher() -> None:
    logits, labels = torch.randn(8, 4), torch.randint(0, 4, (8,))
    one_hot = torch.nn.functional.one_hot(labels, 4).float()
    plain, mixed = (
        loss_of(logits, targets, label_smoothing=0.1, soft=None, distill=0.5) for targets in (labels, one_hot)
    )
    torch.testing.assert_close(plain, mixed)
    alone = loss_of(logits, labels, label_smoothing=0.1, soft=one_hot * 100, distill=1.0)
    torch.testing.assert_close(alone, torch.nn.functional.cross_entropy(logits, labels))


@pytest.mark.parametrize("wrong", [{"random_paths": -1}, {"distill_from": 1.5}, {"distill_from": float("nan")}])
def test_bad_options_are_refused(wrong) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Sandwich(**wrong)
