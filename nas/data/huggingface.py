"""A data set that the library `datasets` reads: a folder on this machine or a name on the hub. Needs the extra.

The images stay encoded in the library's memory-mapped files, however many there are.
"""

from __future__ import annotations

from collections.abc import Mapping
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

SAVED = ("dataset_dict.json", "state.json")  # what `save_to_disk` leaves in its folder


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rows:
    """Rows of a table of encoded images.

    Attributes:
        table: A `datasets.Dataset` whose image column is not decoded.
        column: Name of that column.
    """

    table: Any
    column: str

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, place: int) -> Encoded:
        value = self.table[place][self.column] or {}
        if value.get("bytes") is None and value.get("path"):
            return Path(value["path"])
        return value.get("bytes") or b""


def load_huggingface(
    path: str, *, subset: str | None, image: str | None, label: str | None, loading: Loading
) -> Dataset:
    """Load a data set through the library `datasets`.

    Args:
        path: A folder, or a name on the hub such as `uoft-cs/cifar10`.
        subset: The configuration of the data set, where it has several.
        image: Column of the images; None: the only one of them.
        label: Column of the labels; None: `label`, or the only one left.
        loading: How the images are decoded and split.

    Raises:
        InputError: `datasets` is not installed, the data set cannot be had or has not the columns, or the images and
            classes are not as expected (see `load_collection`).
        StorageError: A decoding process was killed.
    """
    library = extra("datasets", option="data=huggingface", name="huggingface")
    parts = _parts(library, path, subset)
    features = next(iter(parts.values())).features
    image = image or _image_column(library, features, path)
    label = label or label_column([name for name in features if name != image], path)
    check_column(image, list(features), path, "image")
    check_column(label, list(features), path, "label")
    if not isinstance(features[image], library.Image):
        raise InputError(f"{path}: the column {image} is {features[image]}, not images; say which: data.image=...")
    values = {part: list(table.select_columns([label])[:][label]) for part, table in parts.items()}
    kept, notes = labelled(values)
    labels, classes = class_labels(
        [value for part in kept for value in values[part]], getattr(features[label], "names", None), path
    )
    return load_collection(
        Collection(
            name=Path(path).name,
            where=path,
            images=_images(library, [parts[part] for part in kept], image),
            labels=labels,
            classes=classes,
            notes=notes,
            **in_turn({part: len(parts[part]) for part in kept}),
        ),
        loading,
    )


def _images(library: ModuleType, tables: list[Any], column: str) -> Rows:
    encoded = [table.select_columns([column]).cast_column(column, library.Image(decode=False)) for table in tables]
    return Rows(table=library.concatenate_datasets(encoded), column=column)


def _parts(library: ModuleType, path: str, subset: str | None) -> dict[str, Any]:
    """Part -> its table."""
    loaded = _loaded(library, path, subset)
    if not isinstance(loaded, Mapping):
        return {WHOLE: loaded}
    found: dict[str, Any] = {ALIASES.get(str(name), str(name)): table for name, table in loaded.items()}
    if "train" in found:
        return {part: found[part] for part in PARTS if part in found}
    if len(found) > 1:
        raise InputError(f"{path}: none of its parts {', '.join(found)} is called train")
    return {WHOLE: next(iter(found.values()))}


def _loaded(library: ModuleType, path: str, subset: str | None) -> Any:
    library.disable_progress_bars()
    try:
        if any((Path(path) / name).exists() for name in SAVED):
            return library.load_from_disk(path)
        return library.load_dataset(path, subset)
    except Exception as error:  # noqa: BLE001 - the library and its file systems raise errors of many kinds
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"cannot load data.path={path} with datasets: {lines[0]}") from None


def _image_column(library: ModuleType, features: Mapping[str, Any], path: str) -> str:
    names = [name for name, feature in features.items() if isinstance(feature, library.Image)]
    if len(names) != 1:
        given = ", ".join(names or features)
        raise InputError(f"{path}: {len(names)} columns hold images, of {given}; say which: data.image=...")
    return names[0]
