"""Checkpoints: resuming to the same weights, damage, other trainings, a full disk."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from nas.data import Augmentation, Dataset
from nas.errors import InputError, StorageError
from nas.net import Network
from nas.space import smallest
from nas.training import Recipe, Sandwich, discard, fine_tune, loop, train_supernet
from nas.training.checkpoint import previous
from tests.net.zoo import SPACE
from tests.training.helpers import SHORT, Killed, kill_at, same


def test_a_supernet_resumes_to_bit_equal_weights(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "supernet.safetensors"
    with pytest.raises(Killed):
        train_supernet(SPACE, data, SHORT, seed=1, checkpoint=path, progress=kill_at(30))
    resumed = train_supernet(SPACE, data, SHORT, seed=1, checkpoint=path)
    whole = train_supernet(SPACE, data, SHORT, seed=1)
    assert same(resumed, whole)
    assert same(train_supernet(SPACE, data, SHORT, seed=1, checkpoint=path), whole)
    with pytest.raises(InputError, match="another training"):
        train_supernet(SPACE, data, SHORT, seed=2, checkpoint=path)
    assert path.exists()
    assert previous(path).exists()
    discard(path)
    assert not list(tmp_path.iterdir())


def test_it_resumes_in_the_middle_of_an_epoch(data: Dataset, tmp_path: Path, monkeypatch) -> None:
    strategy = Sandwich(random_paths=1, distill_from=0.3)
    recipe = Recipe(steps=13, batch=16, accumulate=2, lr=0.05, ema=0.9, augment=Augmentation(mixup=0.2))
    path = tmp_path / "supernet.safetensors"
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)  # after every step
    with pytest.raises(Killed):
        train_supernet(SPACE, data, recipe, strategy=strategy, seed=1, checkpoint=path, progress=kill_at(10))
    resumed = train_supernet(SPACE, data, recipe, strategy=strategy, seed=1, checkpoint=path)
    assert same(resumed, train_supernet(SPACE, data, recipe, strategy=strategy, seed=1))


def test_the_last_but_one_is_used_where_the_last_is_damaged(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "supernet.safetensors"
    whole = train_supernet(SPACE, data, SHORT, seed=1, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-10])
    assert same(train_supernet(SPACE, data, SHORT, seed=1, checkpoint=path), whole)
    for file in (path, previous(path)):
        file.write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    with pytest.raises(InputError, match=r"cannot read checkpoint .*; delete it"):
        train_supernet(SPACE, data, SHORT, seed=1, checkpoint=path)


def test_a_full_disk_leaves_a_checkpoint_to_go_on_from(data: Dataset, tmp_path: Path, monkeypatch) -> None:
    path, written = tmp_path / "supernet.safetensors", []

    def full(_descriptor: int) -> None:
        written.append(1)
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("nas.files.os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        train_supernet(SPACE, data, SHORT, seed=1, checkpoint=path)
    steps = []
    resumed = train_supernet(SPACE, data, SHORT, seed=1, checkpoint=path, progress=lambda *told: steps.append(told[1]))
    assert min(steps) > 12
    assert same(resumed, train_supernet(SPACE, data, SHORT, seed=1))


def test_they_hold_tensors_and_text_only(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    recipe = dataclasses.replace(SHORT, epochs=1, ema=0.9)
    fine_tune(Network(SPACE.build(smallest)), data, recipe, seed=0, checkpoint=path)
    names = set(safetensors.torch.load_file(path))
    assert {"stem.weight", "stem.mean", "momentum/stem.weight", "ema/stem.weight"} <= names


def test_starting_weights_are_taken(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "first.safetensors"
    first = train_supernet(SPACE, data, dataclasses.replace(SHORT, epochs=1), seed=1, checkpoint=path)
    still = Recipe(steps=1, batch=32, lr=1e-60)
    started = train_supernet(SPACE, data, still, seed=2, init=path)
    assert same(started, first)
    assert not same(train_supernet(SPACE, data, still, seed=2), first)
    safetensors.torch.save_file(first.state_dict(), tmp_path / "plain.safetensors")
    assert same(train_supernet(SPACE, data, still, seed=2, init=tmp_path / "plain.safetensors"), first)


def test_starting_weights_of_other_classes_keep_a_fresh_classifier(data: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "first.safetensors"
    first = train_supernet(SPACE, data, dataclasses.replace(SHORT, epochs=1), seed=1, checkpoint=path)
    fewer = dataclasses.replace(SPACE, classes=4)
    few = dataclasses.replace(
        data,
        classes=data.classes[:4],
        train=dataclasses.replace(data.train, labels=data.train.labels % 4),
    )
    started = train_supernet(fewer, few, Recipe(steps=1, batch=32, lr=1e-60), seed=2, init=path)
    assert torch.equal(started.tensors()["stem.weight"], first.tensors()["stem.weight"])
    assert started.tensors()["classifier.weight"].shape[0] == 4


@pytest.mark.parametrize("change", [{"stem_widths": (8, 24)}, {"image_channels": 3}])
def test_starting_weights_of_another_space_are_refused(data: Dataset, tmp_path: Path, change) -> None:
    path = tmp_path / "first.safetensors"
    other = dataclasses.replace(SPACE, **change)
    three = dataclasses.replace(
        data, train=dataclasses.replace(data.train, images=data.train.images.repeat(other.image_channels, axis=3)),
        mean=data.mean * other.image_channels, std=data.std * other.image_channels,
    )  # fmt: skip
    train_supernet(other, three, Recipe(steps=1, batch=32), seed=1, checkpoint=path)
    with pytest.raises(InputError, match=r"another space: 'stem.weight' is \(.*\), here \(16, 1, 3, 3\)") as told:
        train_supernet(SPACE, data, SHORT, seed=1, init=path)
    assert "\n" not in str(told.value)
    with pytest.raises(InputError, match="cannot read the starting weights"):
        train_supernet(SPACE, data, SHORT, seed=1, init=tmp_path / "nothing")
