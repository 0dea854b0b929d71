"""Data sets: the embedded one, class folders and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data import Loader, load_fashion_mnist, load_folder, record_text, to_input
from nas.data.sources import Folder
from nas.errors import InputError

WriteImages = Callable[..., None]


def test_fashion_mnist_is_whole_and_normalised() -> None:
    data = load_fashion_mnist()
    assert [len(split) for split in (data.train, data.val, data.test)] == [6000, 1000, 2000]
    assert (data.channels, data.size_px, len(data.classes)) == (1, 28, 10)
    x = to_input(Loader(data.train).take(np.arange(6000)), data, size_px=28)
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


def test_given_splits_are_kept_and_missing_ones_made(tmp_path: Path, write_images: WriteImages) -> None:
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


def test_wrong_folders_are_refused_with_a_remedy(tmp_path: Path, write_images: WriteImages) -> None:
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


def test_splits_of_different_classes_are_refused(tmp_path: Path, write_images: WriteImages) -> None:
    for part, names in (("train", "abc"), ("test", "ab")):
        for name in names:
            write_images(tmp_path / part / name, 4)
    with pytest.raises(InputError, match="different classes: c"):
        load_folder(tmp_path, size_px=8, seed=0)


def test_input_is_resized_to_the_network() -> None:
    data = load_fashion_mnist()
    assert to_input(Loader(data.val).take(np.arange(2)), data, size_px=20).shape == (2, 1, 20, 20)


def test_a_made_split_is_recorded_and_holds_when_images_are_added(root: Path, write_images: WriteImages) -> None:
    first = Folder(root=root).load(size_px=8)
    assert first.split_record is not None
    assert [len(first.split_record[part]) for part in ("train", "val", "test")] == [32, 4, 4]
    (root / "split.json").write_text(record_text(first.split_record))
    write_images(root / "cat", 30, start=100)
    again = Folder(root=root, split=root / "split.json", split_seed=7).load(size_px=8)
    assert again.digest() == first.digest()
    assert "30 images" in again.notes[0]
    (root / first.split_record["val"][0]).unlink()
    with pytest.raises(InputError, match="1 of its images are gone"):
        Folder(root=root, split=root / "split.json").load(size_px=8)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[]", "not a record of a split"),
        ('{"train": ["a"], "val": [], "test": 3}', "a list of names"),
        ('{"train": ["a"], "val": ["a"], "test": []}', "names a twice"),
        ("{", "not valid JSON"),
    ],
)
def test_a_file_that_is_no_record_is_refused(root: Path, text: str, match: str) -> None:
    (root / "split.json").write_text(text)
    with pytest.raises(InputError, match=match):
        Folder(root=root, split=root / "split.json").load(size_px=8)


def test_folders_that_came_split_have_no_record(tmp_path: Path, write_images: WriteImages) -> None:
    for part in ("train", "val", "test"):
        for name in "ab":
            write_images(tmp_path / part / name, 3)
    data = load_folder(tmp_path, size_px=8, seed=0)
    assert data.split_record is None
    assert not data.description()["split_by_seed"]
    (tmp_path / "split.json").write_text(record_text({"train": (), "val": (), "test": ()}))
    with pytest.raises(InputError, match=r"leave data\.split out"):
        Folder(root=tmp_path, split=tmp_path / "split.json").load(size_px=8)


def test_uneven_classes_are_noted(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(tmp_path / "many", 40)
    write_images(tmp_path / "few", 10)
    assert (
        "uneven, 4.0 : 1: 'many' has 32 training images, 'few' 8" in load_folder(tmp_path, size_px=8, seed=0).notes[0]
    )


def test_a_class_whose_training_images_are_all_torn_is_refused(tmp_path: Path, write_images: WriteImages) -> None:
    for part in ("train", "val", "test"):
        write_images(tmp_path / part / "a", 30)
        write_images(tmp_path / part / "b", 30)
        (tmp_path / part / "c").mkdir()
        (tmp_path / part / "c" / "torn.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"class 'c' .* no readable training image"):
        load_folder(tmp_path, size_px=8, seed=0)
    write_images(tmp_path / "train" / "c", 30)
    assert any(
        "1 of 3 classes have no image in 'test', e.g. 'c'" in note
        for note in load_folder(tmp_path, size_px=8, seed=0).notes
    )


def test_a_description_is_plain_and_its_digest_tells_data_apart(root: Path) -> None:
    first, other = (load_folder(root, size_px=8, seed=seed) for seed in (0, 1))
    described = json.loads(json.dumps(first.description()))
    assert described["images_per_class"] == {"train": [16, 16], "val": [2, 2], "test": [2, 2]}
    assert (described["channels"], described["size_px"], described["classes"]) == (3, 8, ["cat", "dog"])
    assert described["digest"] == load_folder(root, size_px=8, seed=0).digest() != other.digest()


@pytest.mark.parametrize(
    ("options", "match"),
    [({"size_px": 0}, "size_px = 0"), ({"memory_gb": -1.0}, "memory_gb"), ({"workers": -1}, "workers")],
)
def test_options_out_of_range_are_refused_before_anything_is_read(options: dict[str, int], match: str) -> None:
    with pytest.raises(InputError, match=match):
        Folder(root=Path("nowhere"), **options)
