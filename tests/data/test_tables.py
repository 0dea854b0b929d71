"""Tables of encoded images: Parquet files, and data sets of the library `datasets`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nas.data import Dataset
from nas.data.sources import HuggingFace, Parquet
from nas.errors import InputError


def encoded(place: int, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(place).integers(0, 256, (12, 9, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def write_parquet(path: Path, count: int, *, start: int = 0, struct: bool = True, **columns: Any) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    blobs = [encoded(start + i) for i in range(count)]
    rows = {
        "image": [{"bytes": blob, "path": None} for blob in blobs] if struct else blobs,
        "label": [i % 2 for i in range(count)],
        **columns,
    }
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(arrow.table(rows).replace_schema_metadata({"huggingface": json.dumps(features)}), path)


def load(root: Path, **options: Any) -> Dataset:
    return Parquet(root=root, **options).load(size_px=8)


def test_files_of_parts_are_read_with_their_class_names(tmp_path: Path) -> None:
    for part, count in (("train-00000-of-00002", 20), ("train-00001-of-00002", 10), ("validation", 6), ("test", 8)):
        write_parquet(tmp_path / "data" / f"{part}.parquet", count)
    data = load(tmp_path)
    assert [len(split) for split in data.splits().values()] == [30, 6, 8]
    assert (data.classes, data.channels, data.split_record) == (("cat", "dog"), 3, None)


def test_one_file_is_split_and_streams_alike(tmp_path: Path) -> None:
    write_parquet(tmp_path / "photos.parquet", 40, struct=False)
    data, stream = load(tmp_path / "photos.parquet"), load(tmp_path / "photos.parquet", memory_gb=0.0, workers=2)
    assert (data.name, [len(split) for split in data.splits().values()]) == ("photos", [32, 4, 4])
    places = np.arange(len(data.train))
    assert np.array_equal(data.train.take(places), stream.train.take(places))
    assert data.split_record == stream.split_record


def test_names_are_labels_too(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", 20, label=["owl", "ape"] * 10)
    data = load(tmp_path)
    assert data.classes == ("ape", "owl")


def test_a_test_part_without_labels_is_left_out(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", 40)
    write_parquet(tmp_path / "test.parquet", 10, label=[-1] * 10)
    data = load(tmp_path)
    assert "the part 'test' has no labels" in data.notes[0]
    assert [len(split) for split in data.splits().values()] == [36, 2, 2]


@pytest.mark.parametrize(
    ("columns", "options", "match"),
    [
        ({}, {"image": "img"}, r"no column data\.image=img"),
        ({}, {"label": "lable"}, r"no column data\.label=lable \(did you mean 'label'\?\)"),
        ({}, {"image": "label", "label": "image"}, "the image column is int64"),
        ({"mask": [b"x"] * 20}, {}, "2 columns could hold images, of image, mask"),
        ({"label": [0, 5] * 10}, {}, "the label 5 is out of range"),
        ({"label": [0, -2] * 10}, {}, "the label -2 is out of range"),
        ({"label": [0, None] * 10}, {}, "the label None is neither"),
        ({"label": [0.5] * 20}, {}, "the label 0.5 is neither"),
        ({"label": ["cat"] * 20}, {}, "one class, 'cat'"),
        ({"image": [b"junk"] * 20}, {}, "20 of 20 images .* cannot be read"),
        ({"image": [None] * 20}, {"image": "image"}, "the image column is null"),
    ],
)
def test_wrong_tables_are_refused_in_a_line(
    tmp_path: Path, columns: dict[str, Any], options: dict[str, str], match: str
) -> None:
    write_parquet(tmp_path / "a.parquet", 20, **columns)
    with pytest.raises(InputError, match=match) as raised:
        load(tmp_path, **options)
    assert "\n" not in str(raised.value)


def test_wrong_places_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no \*\.parquet"):
        load(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"cannot read .* as Parquet"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("source", "library", "match"),
    [
        (Parquet(root=Path()), "pyarrow", r"needs pyarrow .*: pip install 'underbudget\[parquet\]'"),
        (HuggingFace(path="x"), "datasets", r"needs datasets .*: pip install 'underbudget\[huggingface\]'"),
    ],
)
def test_a_missing_library_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, source: Parquet | HuggingFace, library: str, match: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=match):
        source.load(size_px=8)


def hub(count: int, **columns: Any) -> Any:
    datasets = pytest.importorskip("datasets")
    rows = {
        "image": [{"bytes": encoded(i), "path": None} for i in range(count)],
        "label": [i % 2 for i in range(count)],
    }
    kinds = {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    features = datasets.Features({**kinds, **{name: datasets.Value("int64") for name in columns}})
    return datasets.Dataset.from_dict({**rows, **columns}, features=features)


def test_saved_data_sets_are_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    parts = datasets.DatasetDict({"train": hub(20), "validation": hub(6), "test": hub(8, extra=[0] * 8)})
    parts["test"] = parts["test"].remove_columns("extra")
    parts.save_to_disk(tmp_path / "saved")
    data = HuggingFace(path=str(tmp_path / "saved")).load(size_px=8)
    assert [len(split) for split in data.splits().values()] == [20, 6, 8]
    assert (data.classes, data.channels) == (("cat", "dog"), 3)
    hub(40).save_to_disk(tmp_path / "whole")
    whole = HuggingFace(path=str(tmp_path / "whole"), memory_gb=0.0, workers=1).load(size_px=8)
    assert [len(split) for split in whole.splits().values()] == [32, 4, 4]
    assert whole.split_record is not None


def test_wrong_data_sets_are_refused_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"cannot load data\.path=") as raised:
        HuggingFace(path=str(tmp_path / "nowhere")).load(size_px=8)
    assert "\n" not in str(raised.value)
    hub(20).save_to_disk(tmp_path / "saved")
    with pytest.raises(InputError, match="the column label is ClassLabel"):
        HuggingFace(path=str(tmp_path / "saved"), image="label", label="image").load(size_px=8)
    with pytest.raises(InputError, match=r"no column data\.label=lable"):
        HuggingFace(path=str(tmp_path / "saved"), label="lable").load(size_px=8)
