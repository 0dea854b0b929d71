"""Training: determinism, resume, failures, keeping the better network, recalibration."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import safetensors.torch
import torch

from nas.data import Dataset, Split, load_fashion_mnist, on_device, to_input
from nas.errors import InputError, TooManyFailuresError
from nas.net import Network
from nas.space import smallest
from nas.training import Recipe, accuracy, fine_tune, recalibrate, recalibrated, train_supernet
from nas.training.loop import _optimizer
from tests.net.zoo import SPACE

SHORT = Recipe(epochs=3, batch=32, lr=0.05)


@pytest.fixture(scope="module")
def data() -> Dataset:
    """A sixteenth of Fashion-MNIST; networks of 16 px resize it."""
    whole = load_fashion_mnist()

    def few(split: Split, n: int) -> Split:
        return Split(images=split.images[:n], labels=split.labels[:n])

    return dataclasses.replace(whole, train=few(whole.train, 384), val=few(whole.val, 200), test=few(whole.test, 200))


class Killed(Exception):  # noqa: N818 - stands for a signal
    pass


def kill_at(step: int):
    def progress(_stage: str, done: int, _total: int, _note: str) -> None:
        if done == step:
            raise Killed

    return progress


def same(left: torch.nn.Module, right: torch.nn.Module) -> bool:
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_supernet_resumes_to_bit_equal_weights(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "supernet.safetensors"
    with pytest.raises(Killed):
        train_supernet(SPACE, data, SHORT, seed=1, checkpoint=path, progress=kill_at(20))
    resumed = train_supernet(SPACE, data, SHORT, seed=1, checkpoint=path)
    whole = train_supernet(SPACE, data, SHORT, seed=1)
    assert same(resumed, whole)
    assert same(train_supernet(SPACE, data, SHORT, seed=1, checkpoint=path), whole)
    with pytest.raises(InputError, match="another training"):
        train_supernet(SPACE, data, SHORT, seed=2, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="cannot read checkpoint"):
        train_supernet(SPACE, data, SHORT, seed=1, checkpoint=path)


def test_fine_tuning_learns_resumes_and_leaves_its_argument(data: Dataset, tmp_path: Path) -> None:
    network = Network(SPACE.build(smallest), seed=2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    path = tmp_path / "finetune.safetensors"
    recipe = dataclasses.replace(SHORT, epochs=12, lr=0.1)
    with pytest.raises(Killed):
        fine_tune(network, data, recipe, seed=0, checkpoint=path, progress=kill_at(30))
    resumed = fine_tune(network, data, recipe, seed=0, checkpoint=path)
    whole = fine_tune(network, data, recipe, seed=0)
    assert same(resumed, whole)
    assert accuracy(whole, data.val, data) > 0.4
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_the_better_of_before_and_after_is_kept(data: Dataset) -> None:
    good = fine_tune(Network(SPACE.build(smallest)), data, SHORT, seed=0)
    ruinous = dataclasses.replace(SHORT, epochs=1, lr=50.0)
    kept = fine_tune(good, data, ruinous, seed=0)
    assert same(kept, good)


def test_a_teacher_is_followed(data: Dataset) -> None:
    network = Network(SPACE.build(smallest))
    always_two = torch.nn.functional.one_hot(torch.tensor(2), 10).float() * 20
    recipe = dataclasses.replace(SHORT, distill=1.0, lr=0.1)
    trained = fine_tune(network, data, recipe, seed=0, teacher=lambda x: always_two.expand(len(x), 10))
    x = to_input(on_device(data.val, "cpu")[0], data, size_px=16)
    assert accuracy(trained, data.val, data) < 0.3 or (network(x).argmax(1) == 2).float().mean() < 0.3


def test_a_loss_that_is_never_finite_is_given_up(data: Dataset) -> None:
    def nan(x: torch.Tensor) -> torch.Tensor:
        return torch.full((len(x), 10), torch.nan)

    with pytest.raises(TooManyFailuresError, match="not finite 10 times"):
        fine_tune(Network(SPACE.build(smallest)), data, SHORT, seed=0, teacher=nan)


def test_a_single_bad_step_leaves_no_trace(data: Dataset) -> None:
    calls = []

    def once(x: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return torch.full((len(x), 10), torch.nan if len(calls) == 3 else 0.0)

    trained = fine_tune(Network(SPACE.build(smallest)), data, SHORT, seed=0, teacher=once)
    assert all(tensor.isfinite().all() for tensor in trained.state_dict().values())


def test_too_few_images_are_refused(data: Dataset) -> None:
    with pytest.raises(InputError, match="384 training images are fewer than a batch of 512"):
        train_supernet(SPACE, data, dataclasses.replace(SHORT, batch=512), seed=0)


def test_recalibrated_statistics_are_those_of_the_images(data: Dataset) -> None:
    network = Network(SPACE.build(smallest))
    x = to_input(on_device(data.train, "cpu")[0], data, size_px=16)
    stem = torch.nn.functional.conv2d(x, network.tensors()["stem.weight"], stride=2, padding=1)
    mean, var = recalibrate(network, network.arch, x)["stem"]
    torch.testing.assert_close(mean, stem.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(var, stem.var((0, 2, 3), correction=0), rtol=1e-4, atol=1e-5)
    assert torch.equal(recalibrated(network, x).tensors()["stem.mean"], mean)


def test_weight_decay_spares_depthwise_weights_biases_and_batch_norm() -> None:
    network = Network(SPACE.build(smallest))
    decayed = [group["params"] for group in _optimizer(network, SHORT).param_groups if group["weight_decay"]]
    names = {name for name, parameter in network.named_parameters() if any(parameter is p for p in decayed[0])}
    assert names == {name for name in network.state_dict() if name.endswith("weight") and "depthwise" not in name}


def test_checkpoints_hold_tensors_and_text_only(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    fine_tune(Network(SPACE.build(smallest)), data, dataclasses.replace(SHORT, epochs=1), seed=0, checkpoint=path)
    names = set(safetensors.torch.load_file(path))
    assert {"stem.weight", "stem.mean", "momentum/stem.weight"} <= names
