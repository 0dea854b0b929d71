"""A data set from Parquet files of encoded images and labels, as Hugging Face writes them. Needs the extra `parquet`.

The image column holds bytes, or a struct with `bytes`; the label column whole numbers or names. Files whose names or
folders begin with `train`, `val` (`validation`, `valid`, `dev`) or `test` are those parts; all others together are
split by a seed. The encoded images are held in memory.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from nas.data.collection import Collection, load_collection
from nas.data.columns import check_column, class_labels, in_turn, label_column, labelled
from nas.data.dataset import Dataset
from nas.data.decode import Encoded
from nas.data.extras import extra
from nas.data.reading import Loading
from nas.data.splitting import ALIASES, PARTS, WHOLE
from nas.errors import InputError

PART = re.compile(rf"({'|'.join((*PARTS, *ALIASES))})(?![a-z])")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Column:
    """A column of encoded images.

    Attributes:
        values: An Arrow chunked array of bytes.
    """

    values: Any

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: int) -> Encoded:
        return self.values[place].as_py() or b""


def load_parquet(root: Path, *, image: str | None, label: str | None, loading: Loading) -> Dataset:
    """Load Parquet files.

    Args:
        root: A file, or a folder with files in it or below.
        image: Column of the images; None: the only one that holds bytes.
        label: Column of the labels; None: `label`, or the only one of its kind.
        loading: How the images are decoded and split.

    Raises:
        InputError: pyarrow is not installed, a file cannot be read, the columns are not as expected, or the images
            and classes are not (see `load_collection`).
        StorageError: A decoding process was killed.
    """
    arrow = extra("pyarrow", option="data=parquet", name="parquet")
    parquet = extra("pyarrow.parquet", option="data=parquet", name="parquet")
    found = _files(root)
    first = _schema(parquet, next(iter(found.values()))[0])
    image = image or _image_column(arrow, first, root)
    check_column(image, first.names, str(root), "image")
    _check_bytes(arrow, first.field(image).type, root)
    label = label or label_column([name for name in first.names if name != image], str(root))
    check_column(label, first.names, str(root), "label")
    tables = {part: _tables(arrow, parquet, paths, [image, label], root) for part, paths in found.items()}
    parts, notes = labelled({part: table.column(label).to_pylist() for part, table in tables.items()})
    whole = _joined(arrow, [tables[part] for part in parts], root)
    labels, classes = class_labels(whole.column(label).to_pylist(), _class_names(first, label), str(root))
    return load_collection(
        Collection(
            name=root.resolve().stem,
            where=str(root),
            images=Column(values=_bytes(arrow, whole.column(image))),
            labels=labels,
            classes=classes,
            notes=notes,
            **in_turn({part: len(tables[part]) for part in parts}),
        ),
        loading,
    )


def _files(root: Path) -> dict[str, list[Path]]:
    """Part -> its files, sorted."""
    if not root.exists():
        raise InputError(f"{root} does not exist; give a Parquet file or a folder of them as data.root=...")
    paths = sorted(root.rglob("*.parquet")) if root.is_dir() else [root]
    if not paths:
        raise InputError(f"{root} holds no *.parquet files")
    by_part: dict[str, list[Path]] = {}
    for path in paths:
        by_part.setdefault(_part(path, root), []).append(path)
    if "train" in by_part and WHOLE in by_part:
        raise InputError(
            f"{by_part[WHOLE][0]} belongs to no part; name the files train-..., validation-... or test-..."
        )
    if "train" not in by_part:
        return {WHOLE: paths}
    return {part: by_part[part] for part in PARTS if part in by_part}


def _part(path: Path, root: Path) -> str:
    for name in reversed(path.relative_to(root).parts):
        match = PART.match(name.lower())
        if match:
            return ALIASES.get(match[1], match[1])
    return WHOLE


def _schema(parquet: ModuleType, path: Path) -> Any:
    try:
        return parquet.read_schema(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path} as Parquet ({_line(error)})") from None


def _tables(arrow: ModuleType, parquet: ModuleType, paths: list[Path], columns: list[str], root: Path) -> Any:
    """Some columns of a part's files, as one table."""

    def read(path: Path) -> Any:
        try:
            with parquet.ParquetFile(path) as file:
                return file.read(columns=columns)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"cannot read the columns {', '.join(columns)} of {path} ({_line(error)})") from None

    return _joined(arrow, [read(path) for path in paths], root)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _joined(arrow: ModuleType, tables: list[Any], root: Path) -> Any:
    try:
        return arrow.concat_tables([table.replace_schema_metadata(None) for table in tables])
    except ValueError as error:
        raise InputError(f"the files of {root} have columns of different types ({_line(error)})") from None


def _image_column(arrow: ModuleType, schema: Any, root: Path) -> str:
    """The only column that holds bytes."""
    names = [field.name for field in schema if _holds_bytes(arrow, field.type)]
    if len(names) != 1:
        given = ", ".join(names or schema.names)
        raise InputError(f"{root}: {len(names)} columns could hold images, of {given}; say which: data.image=...")
    return str(names[0])


def _holds_bytes(arrow: ModuleType, kind: Any) -> bool:
    types = arrow.types
    if types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _check_bytes(arrow: ModuleType, kind: Any, root: Path) -> None:
    if not _holds_bytes(arrow, kind):
        raise InputError(f"{root}: the image column is {kind}; expected bytes, or a struct with bytes")


def _bytes(arrow: ModuleType, column: Any) -> Any:
    if not arrow.types.is_struct(column.type):
        return column
    place = column.type.get_field_index("bytes")
    return arrow.chunked_array([chunk.flatten()[place] for chunk in column.chunks], type=column.type[place].type)


def _class_names(schema: Any, label: str) -> tuple[str, ...] | None:
    """Names that Hugging Face keeps in the file for a column of class labels."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return tuple(str(name) for name in features[label]["names"])
    except (KeyError, TypeError, ValueError):
        return None
