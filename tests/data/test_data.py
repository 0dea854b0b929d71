"""Data sets: the embedded one, class folders and what is wrong with them, batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas.data import augment, batches, generator_of, load_fashion_mnist, load_folder, on_device, to_input
from nas.errors import InputError


def write_images(folder: Path, count: int, *, grey: bool = False, start: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        pixels = np.random.default_rng(i).integers(0, 256, (12, 9) if grey else (12, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:03}.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        write_images(tmp_path / name, 20)
    return tmp_path


def test_fashion_mnist_is_whole_and_normalised() -> None:
    data = load_fashion_mnist()
    assert [len(split) for split in (data.train, data.val, data.test)] == [6000, 1000, 2000]
    assert (data.channels, data.size_px, len(data.classes)) == (1, 28, 10)
    x = to_input(on_device(data.train, "cpu")[0], data, size_px=28)
    assert x.shape == (6000, 1, 28, 28)
    assert abs(float(x.mean())) < 1e-4
    assert abs(float(x.std()) - 1) < 1e-4


def test_folder_is_split_by_class_and_seed(root: Path) -> None:
    first, again, other = (load_folder(root, size_px=8, seed=seed) for seed in (0, 0, 1))
    assert first.classes == ("cat", "dog")
    assert [len(split) for split in (first.train, first.val, first.test)] == [32, 4, 4]
    assert np.bincount(first.test.labels).tolist() == [2, 2]
    assert (first.channels, first.size_px, first.notes) == (3, 8, ())
    assert np.array_equal(first.train.images, again.train.images)
    assert not np.array_equal(first.train.images, other.train.images)


def test_given_splits_are_kept_and_missing_ones_made(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_images(tmp_path / "train" / name, 20, grey=True)
        write_images(tmp_path / "test" / name, 3, grey=True, start=50)
    data = load_folder(tmp_path, size_px=8, seed=0)
    assert [len(split) for split in (data.train, data.val, data.test)] == [54, 6, 9]
    assert data.channels == 1


def test_sixteen_bit_grey_keeps_its_contrast(tmp_path: Path) -> None:
    for name, value in (("dark", 0x2000), ("light", 0xA000)):
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.fromarray(np.full((8, 8), value, dtype=np.uint16)).save(tmp_path / name / f"{i}.png")
    images = load_folder(tmp_path, size_px=8, seed=0).train.images
    assert sorted(np.unique(images).tolist()) == [0x20, 0xA0]


def test_a_few_unreadable_images_are_skipped_and_noted(root: Path) -> None:
    (root / "cat" / "torn.png").write_bytes(b"not an image")
    assert "1 of 41 images" in load_folder(root, size_px=8, seed=0).notes[0]


def test_many_unreadable_images_are_refused(root: Path) -> None:
    for i in range(5):
        (root / "cat" / f"torn{i}.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"5 of 45 images .* torn0\.png|5 of 45 images"):
        load_folder(root, size_px=8, seed=0)


def test_wrong_folders_are_refused_with_a_remedy(tmp_path: Path) -> None:
    def refused(match: str) -> None:
        with pytest.raises(InputError, match=match):
            load_folder(tmp_path / "data", size_px=8, seed=0)

    refused("does not exist")
    (tmp_path / "data").mkdir()
    refused("holds no class folders")
    write_images(tmp_path / "data" / "only", 4)
    refused("one class, 'only'")
    (tmp_path / "data" / "none").mkdir()
    refused("none holds no images")
    write_images(tmp_path / "data" / "none", 1)
    refused("class 'none' has too few images")


def test_splits_of_different_classes_are_refused(tmp_path: Path) -> None:
    for part, names in (("train", "abc"), ("test", "ab")):
        for name in names:
            write_images(tmp_path / part / name, 4)
    with pytest.raises(InputError, match="different classes: c"):
        load_folder(tmp_path, size_px=8, seed=0)


def test_batches_are_decided_by_seed_and_epoch() -> None:
    data = on_device(load_fashion_mnist().val, "cpu")
    first, again, later = (
        [labels.tolist() for _, labels in batches(data, batch=128, seed=1, epoch=epoch)] for epoch in (0, 0, 1)
    )
    assert first == again
    assert first != later
    assert len(first) == 1000 // 128


def test_augmentation_moves_pixels_and_keeps_images() -> None:
    raw = torch.zeros(64, 9, 9, 1, dtype=torch.uint8)
    raw[:, 4, 3] = 255
    moved = augment(raw, flip=True, shift_px=1, generator=generator_of(0, 0))
    assert (moved.flatten(1).sum(dim=1, dtype=torch.int64) == 255).all()
    rows, columns = moved[..., 0].nonzero()[:, 1], moved[..., 0].nonzero()[:, 2]
    assert (int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())) == (3, 5, 2, 6)
    assert torch.equal(augment(raw, flip=False, shift_px=0, generator=generator_of(0, 0)), raw)


def test_input_is_resized_to_the_network() -> None:
    data = load_fashion_mnist()
    assert to_input(on_device(data.val, "cpu")[0][:2], data, size_px=20).shape == (2, 1, 20, 20)
