"""A data set from folders of images, one folder a class, with no code written.

Either the class folders lie directly under the root and are split 80/10/10, or the root holds `train`, and maybe `val`
(also `valid`, `validation`) and `test`; a split that is missing is taken from `train` or `val`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from nas.data.collection import Collection, load_collection
from nas.data.dataset import Dataset
from nas.data.reading import Loading
from nas.data.splitting import WHOLE, part_after_part
from nas.errors import InputError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
_NAMES = {"val": ("val", "valid", "validation"), "test": ("test",)}

Files = dict[str, list[Path]]  # class name -> its images, sorted


def load_folder(root: Path, *, size_px: int, seed: int) -> Dataset:
    """Load every image under a folder of class folders, resized to a square.

    Args:
        root: Folder whose sub-folders are the classes, or hold them as `train`, `val`, `test`.
        size_px: Height and width the images are resized to, pixels.
        seed: Of the split, where the folders do not give it.

    Returns:
        The data set; grey when all images are. Skipped images are counted in its notes.

    Raises:
        InputError: The folder is missing or empty, has fewer than two classes or a class without images, its splits
            name different classes, or more than a tenth of the images cannot be read.
        StorageError: A decoding process was killed.
    """
    return load_collection(folder_collection(root), Loading(size_px=size_px, seed=seed))


def folder_collection(root: Path) -> Collection:
    """List the images under a folder of class folders.

    Raises:
        InputError: As for `load_folder`, but for what only reading the images shows.
    """
    if not root.is_dir():
        raise InputError(f"data folder {root} does not exist; give the folder of class folders as data.root=...")
    parts = _parts(root)
    classes = tuple(next(iter(parts.values())))
    paths = [path for files in parts.values() for members in files.values() for path in members]
    labels = [label for files in parts.values() for label, members in enumerate(files.values()) for _ in members]
    sizes = {part: sum(len(members) for members in files.values()) for part, files in parts.items()}
    return Collection(
        name=root.resolve().name,
        where=str(root),
        images=paths,
        names=[path.relative_to(root).as_posix() for path in paths],
        labels=np.array(labels, dtype=np.int64),
        classes=classes,
        found=part_after_part(sizes),
    )


def _parts(root: Path) -> dict[str, Files]:
    """Part -> files by class."""
    if not (root / "train").is_dir():
        return {WHOLE: _classes(root)}
    found = {"train": _classes(root / "train")}
    for part, names in _NAMES.items():
        folder = next((root / name for name in names if (root / name).is_dir()), None)
        if folder:
            found[part] = _classes(folder)
            _check_same_classes(found["train"], found[part], folder)
    return found


def _classes(folder: Path) -> Files:
    names = sorted(child.name for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    files = {name: _images(folder / name) for name in names}
    if not files:
        raise InputError(f"{folder} holds no class folders; put the images of each class in a folder of its own")
    if len(files) == 1:
        raise InputError(f"{folder} holds one class, '{names[0]}'; a classifier needs at least two class folders")
    for name, paths in files.items():
        if not paths:
            kinds = ", ".join(sorted(SUFFIXES))
            raise InputError(f"class folder {folder / name} holds no images ({kinds}); fill it or remove it")
    return files


def _images(folder: Path) -> list[Path]:
    """Image files in a folder and below, sorted."""
    found = (Path(where) / name for where, _, names in os.walk(folder) for name in names)
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES and path.is_file())


def _check_same_classes(train: Files, other: Files, folder: Path) -> None:
    differing = sorted(set(train) ^ set(other))
    if differing:
        raise InputError(f"{folder} and the training folder name different classes: {', '.join(differing[:5])}")
