"""Arrays in an archive: layouts, splits, and every way in which they can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas.data.sources import Npz
from nas.errors import InputError

RNG = np.random.default_rng(0)


def images(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def labels(count: int) -> np.ndarray:
    return np.arange(count) % 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.npz"


def test_parts_are_read_as_they_came(path: Path) -> None:
    x = {part: images(12, 6, 6, 3) for part in ("train", "val", "test")}
    np.savez(path, **{f"x_{part}": array for part, array in x.items()}, **{f"y_{part}": labels(12) for part in x})
    data = Npz(path=path).load(size_px=99)
    assert all(np.array_equal(split.take(np.arange(12)), x[part]) for part, split in data.splits().items())
    assert (data.name, data.channels, data.size_px, data.classes) == ("data", 3, 6, ("0", "1", "2"))
    assert data.split_record is None


def test_arrays_without_parts_are_split_and_recorded(path: Path) -> None:
    np.savez(path, x=images(60, 6, 6), y=labels(60)[:, None].astype(np.uint8), classes=np.array(["a", "b", "c"]))
    data = Npz(path=path).load(size_px=6)
    assert [len(split) for split in data.splits().values()] == [48, 6, 6]
    assert (data.channels, data.classes) == (1, ("a", "b", "c"))
    assert data.split_record is not None
    assert data.split_record["val"][0].startswith("x[")
    assert Npz(path=path, split_seed=1).load(size_px=6).digest() != data.digest()


@pytest.mark.parametrize("shape", [(30, 3, 8, 8), (30, 1, 8, 8)])
def test_channels_may_come_first(path: Path, shape: tuple[int, ...]) -> None:
    x = images(*shape)
    np.savez(path, x_train=x, y_train=labels(30), x_val=x, y_val=labels(30), x_test=x, y_test=labels(30))
    train = Npz(path=path).load(size_px=8).train
    assert np.array_equal(train.take(np.arange(30)), x.transpose(0, 2, 3, 1))


def test_whole_numbers_of_other_types_are_taken(path: Path) -> None:
    np.savez(path, x=images(30, 6, 6).astype(np.int64), y=labels(30))
    assert Npz(path=path).load(size_px=6).train.take(np.arange(3)).dtype == np.uint8


GOOD = {"x_train": images(30, 6, 6), "y_train": labels(30), "x_test": images(9, 6, 6), "y_test": labels(9)}


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"x_train": None}, "expected arrays x_train and y_train, or x and y; it holds x_test"),
        ({"y_test": None}, "holds x_test but no y_test"),
        ({"x_tset": images(1, 6, 6)}, r"unknown array 'x_tset' \(did you mean 'x_test'\?\)"),
        ({"x_train": images(30, 6)}, r"x_train has the shape \(30, 6\)"),
        ({"x_train": images(30, 0, 0)}, "no images, or images of no size"),
        ({"x_train": images(30, 6, 8)}, "networks read squares"),
        ({"x_test": images(9, 8, 8)}, "images of test are 8 x 8 x 1, those of train 6 x 6 x 1"),
        ({"x_test": images(9, 6, 6, 3)}, "images of test are 6 x 6 x 3"),
        ({"x_train": images(30, 6, 6) / np.float32(255)}, "x_train is float32 from 0 to 1"),
        ({"x_train": images(30, 6, 6).astype(np.int16) + 1}, r"x_train is int16 from 1 to 256"),
        ({"y_train": labels(29)}, r"y_train has the shape \(29,\), its images are 30"),
        ({"y_train": labels(30) / 2}, "y_train is float64"),
        ({"y_train": labels(30) - 1}, "y_train holds the label -1"),
        ({"y_test": labels(9) + 1}, r"y_test holds the label 3; the training classes are 0\.\.2"),
        ({"y_train": labels(30) * 2}, "class 1 has no training image"),
        ({"y_train": labels(30) * 0, "y_test": labels(9) * 0}, "holds one class"),
        ({"classes": np.array(["a", "b"])}, "holds the label 2"),
        ({"x_train": np.array([None] * 30)}, "cannot read .* as an archive"),
    ],
)
def test_wrong_arrays_are_refused_in_a_line(path: Path, changed: dict[str, np.ndarray | None], match: str) -> None:
    np.savez(path, **{name: array for name, array in {**GOOD, **changed}.items() if array is not None})
    with pytest.raises(InputError, match=match) as raised:
        Npz(path=path).load(size_px=6)
    assert "\n" not in str(raised.value)


def test_files_that_are_no_archive_are_refused(path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        Npz(path=path).load(size_px=6)
    path.write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(InputError, match="cannot read"):
        Npz(path=path).load(size_px=6)
    np.savez(path, **GOOD)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="cannot read"):
        Npz(path=path).load(size_px=6)
    with path.open("wb") as file:
        np.save(file, GOOD["x_train"])
    with pytest.raises(InputError, match="one array"):
        Npz(path=path).load(size_px=6)
