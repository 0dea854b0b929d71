"""A data set from folders of images, one folder a class, with no code written.

Either the class folders lie directly under the root and are split 80/10/10, or the root holds `train`, and maybe `val`
(also `valid`, `validation`) and `test`; a split that is missing is taken from `train` or `val`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from nas.data.dataset import Dataset, Split, dataset_of
from nas.errors import InputError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
DEEP_MODES = frozenset({"I", "I;16", "I;16B"})  # 16 bits a pixel
GREY_MODES = frozenset({"1", "L", "LA"}) | DEEP_MODES
MAX_UNREADABLE = 0.1
_NAMES = {"val": ("val", "valid", "validation"), "test": ("test",)}

Files = dict[str, list[Path]]  # class name -> its images, sorted
Pixels = NDArray[np.uint8]


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
    """
    if not root.is_dir():
        raise InputError(f"data folder {root} does not exist; give the folder of class folders as data.root=...")
    parts = _parts(root, random.Random(seed))
    classes = tuple(parts["train"])
    decoded, broken = _decode_all(parts, size_px)
    total = sum(len(paths) for files in parts.values() for paths in files.values())
    if len(broken) > MAX_UNREADABLE * total:
        raise InputError(f"{len(broken)} of {total} images under {root} cannot be read, the first is {broken[0]}")
    grey = all((image[..., :1] == image).all() for image in decoded.values())
    splits = {part: _split(files, decoded, grey=grey, where=f"{root} ({part})") for part, files in parts.items()}
    notes = (
        (f"{len(broken)} of {total} images could not be read and were left out, e.g. {broken[0]}",) if broken else ()
    )
    return dataset_of(name=root.resolve().name, classes=classes, notes=notes, **splits)


def _parts(root: Path, rng: random.Random) -> dict[str, Files]:
    """Split name -> files by class."""
    if not (root / "train").is_dir():
        train, val = _take(_classes(root), 0.2, rng)
        val, test = _take(val, 0.5, rng)
        return {"train": train, "val": val, "test": test}
    found = {"train": _classes(root / "train")}
    for part, names in _NAMES.items():
        folder = next((root / name for name in names if (root / name).is_dir()), None)
        if folder:
            found[part] = _classes(folder)
            _check_same_classes(found["train"], found[part], folder)
    if "val" not in found:
        found["train"], found["val"] = _take(found["train"], 0.1, rng)
    if "test" not in found:
        found["val"], found["test"] = _take(found["val"], 0.5, rng)
    return {part: found[part] for part in ("train", "val", "test")}


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
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def _check_same_classes(train: Files, other: Files, folder: Path) -> None:
    differing = sorted(set(train) ^ set(other))
    if differing:
        raise InputError(f"{folder} and the training folder name different classes: {', '.join(differing[:5])}")


def _take(files: Files, share: float, rng: random.Random) -> tuple[Files, Files]:
    """Move a share of each class, at least one image, to a second split."""
    kept, taken = {}, {}
    for name, paths in files.items():
        if len(paths) < 2:
            raise InputError(f"class '{name}' has too few images ({paths[0]}) to split; at least 10 a class are needed")
        shuffled = rng.sample(paths, len(paths))
        count = max(1, round(share * len(paths)))
        taken[name], kept[name] = sorted(shuffled[:count]), sorted(shuffled[count:])
    return kept, taken


def _decode_all(parts: Mapping[str, Files], size_px: int) -> tuple[dict[Path, Pixels], list[Path]]:
    decoded, broken = {}, []
    for files in parts.values():
        for path in (path for paths in files.values() for path in paths):
            try:
                decoded[path] = _decode(path, size_px)
            except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError):
                broken.append(path)
    return decoded, broken


def _decode(path: Path, size_px: int) -> Pixels:
    with Image.open(path) as image:
        mode = "L" if image.mode in GREY_MODES else "RGB"
        eight_bits = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)) if image.mode in DEEP_MODES else image
        small = eight_bits.convert(mode).resize((size_px, size_px), Image.Resampling.BICUBIC, reducing_gap=3.0)
    pixels = np.asarray(small, dtype=np.uint8)
    return np.stack([pixels] * 3, axis=-1) if mode == "L" else pixels


def _split(files: Files, decoded: Mapping[Path, Pixels], *, grey: bool, where: str) -> Split:
    images, labels = [], []
    for label, (name, paths) in enumerate(files.items()):
        readable = [decoded[path] for path in paths if path in decoded]
        if not readable:
            raise InputError(
                f"class '{name}' of {where} has no readable image, e.g. {paths[0]}; add images or remove it"
            )
        images += readable
        labels += [label] * len(readable)
    stacked = np.stack(images)
    return Split(images=stacked[..., :1] if grey else stacked, labels=np.array(labels, dtype=np.int64))
