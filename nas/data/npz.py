"""A data set from a NumPy archive of arrays.

Arrays `x_train`, `y_train` and maybe `x_val`, `y_val`, `x_test`, `y_test`, or `x` and `y` alone, which are split
80/10/10; `classes` may hold names. Images are whole numbers 0..255 of shape (n, h, w), (n, h, w, c) or (n, c, h, w); an
array of four axes is read as (n, c, h, w) when its second axis has 1 or 3 entries and its last has not. Labels are (n,)
or (n, 1).
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.data.dataset import Dataset, Labels, MemorySplit, Pixels, dataset_of
from nas.data.splitting import PARTS, WHOLE, part_after_part, split_places
from nas.errors import InputError, did_you_mean

SUFFIX = {WHOLE: "", "train": "_train", "val": "_val", "test": "_test"}
KNOWN = (*(axis + suffix for suffix in SUFFIX.values() for axis in "xy"), "classes")
CHANNELS = (1, 3)

Arrays = Mapping[str, NDArray[Any]]


def load_npz(path: Path, *, seed: int = 0, split: Path | None = None) -> Dataset:
    """Load a data set that lies in memory.

    Args:
        path: The archive.
        seed: Of the split, where the arrays do not give it.
        split: File of an earlier split to keep to.

    Raises:
        InputError: The archive cannot be read, or its arrays are not images and labels that belong together.
    """
    arrays = _arrays(path)
    found = [part for part, suffix in SUFFIX.items() if f"x{suffix}" in arrays]
    if not found or ("train" not in found and found != [WHOLE]):
        given = ", ".join(sorted(arrays)) or "none"
        raise InputError(f"{path}: expected arrays x_train and y_train, or x and y; it holds {given}")
    images = {part: _images(arrays, f"x{SUFFIX[part]}", path) for part in found}
    labels = {part: _labels(arrays, f"y{SUFFIX[part]}", len(images[part]), path) for part in found}
    _check_alike(images, path)
    classes = _classes(arrays, labels, path)
    names = [f"x{SUFFIX[part]}[{row}]" for part in found for row in range(len(labels[part]))]
    places = part_after_part({part: len(labels[part]) for part in found})
    whole = MemorySplit(
        images=np.concatenate([images[part] for part in found]), labels=np.concatenate([labels[part] for part in found])
    )
    parts, notes = split_places(places, whole.labels, names, classes, seed=seed, record=split)
    splits = {
        part: MemorySplit(images=whole.images[chosen], labels=whole.labels[chosen]) for part, chosen in parts.items()
    }
    came_split = set(found) >= set(PARTS)
    return dataset_of(
        name=path.stem,
        classes=classes,
        notes=tuple(notes),
        split_record=None
        if came_split
        else {part: tuple(names[place] for place in chosen.tolist()) for part, chosen in parts.items()},
        **splits,
    )


def _arrays(path: Path) -> Arrays:
    """Read the arrays of the names that are known; nothing in the file is run."""
    try:
        with path.open("rb") as file:  # np.load leaves a file open that is no archive
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                raise InputError(f"{path} holds one array; save images and labels with np.savez(path, x=..., y=...)")
            unknown = [name for name in loaded.files if name.startswith(("x_", "y_")) and name not in KNOWN]
            if unknown:
                raise InputError(f"{path}: unknown array '{unknown[0]}'{did_you_mean(unknown[0], KNOWN)}")
            return {name: loaded[name] for name in loaded.files if name in KNOWN}
    except FileNotFoundError:
        raise InputError(f"data file {path} does not exist; give an archive of np.savez as data.path=...") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"cannot read {path} as an archive of NumPy arrays ({reason})") from None


def _images(arrays: Arrays, name: str, path: Path) -> Pixels:
    """One part's images as (n, h, w, c) uint8."""
    images = arrays[name]
    shape = images.shape
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim == 4 and images.shape[1] in CHANNELS and images.shape[3] not in CHANNELS:
        images = images.transpose(0, 2, 3, 1)
    if images.ndim != 4:
        raise InputError(f"{path}: {name} has the shape {shape}; expected (n, h, w), (n, h, w, c) or (n, c, h, w)")
    if 0 in shape:
        raise InputError(f"{path}: {name} has the shape {shape}: there are no images, or images of no size")
    if images.shape[1] != images.shape[2]:
        raise InputError(f"{path}: {name} has the shape {shape}; networks read squares: crop or resize the images")
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    low, high = images.min(), images.max()
    if not np.issubdtype(images.dtype, np.integer) or low < 0 or high > 255:
        raise InputError(
            f"{path}: {name} is {images.dtype} from {low:g} to {high:g}; expected whole numbers 0..255: "
            "scale them and convert with .round().astype('uint8')"
        )
    return np.ascontiguousarray(images.astype(np.uint8))


def _labels(arrays: Arrays, name: str, images: int, path: Path) -> Labels:
    if name not in arrays:
        raise InputError(f"{path}: holds {name.replace('y', 'x', 1)} but no {name}; add the labels")
    labels = arrays[name]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (images,):
        raise InputError(f"{path}: {name} has the shape {labels.shape}, its images are {images}: expected ({images},)")
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"{path}: {name} is {labels.dtype}; expected whole numbers, the classes from 0")
    return labels.astype(np.int64)


def _check_alike(images: Mapping[str, Pixels], path: Path) -> None:
    first, *others = images
    for part in others:
        if images[part].shape[1:] != images[first].shape[1:]:
            raise InputError(
                f"{path}: images of {part} are {_size(images[part])}, those of {first} {_size(images[first])}; "
                "resize them alike"
            )


def _size(images: Pixels) -> str:
    return " x ".join(map(str, images.shape[1:]))


def _classes(arrays: Arrays, labels: Mapping[str, Labels], path: Path) -> tuple[str, ...]:
    """Names of the classes; every class has training images, and no label is of another."""
    training = next(iter(labels))
    seen = np.unique(labels[training])
    names = arrays.get("classes")
    count = int(seen[-1]) + 1 if names is None else names.size
    for part, values in labels.items():
        if values.min() < 0 or values.max() >= count:
            wrong = values[(values < 0) | (values >= count)][0]
            raise InputError(
                f"{path}: y{SUFFIX[part]} holds the label {wrong}; the training classes are 0..{count - 1}"
            )
    if count < 2:
        raise InputError(f"{path}: holds one class; a classifier needs at least two")
    if len(seen) < count:
        absent = np.setdiff1d(np.arange(count), seen)[0]
        raise InputError(f"{path}: class {absent} has no training image; labels run from 0 without gaps")
    return tuple(str(label) for label in range(count)) if names is None else tuple(str(name) for name in names.ravel())
