"""CIFAR-10 for the benchmarks, from `../shared/data`: in memory, with a validation split of its own."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nas.data import Dataset, MemorySplit, dataset_of
from nas.errors import InputError
from nas.files import write_whole

SOURCE = Path(__file__).parents[2] / "shared" / "data" / "cifar10_jpegblob.npz"
VALIDATION = 5000  # images, the last of the training images
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load_cifar(cache: Path | None = None, *, train: int | None = None) -> Dataset:
    """CIFAR-10 with 45,000 training, 5,000 validation and 10,000 test images of 32 px.

    Args:
        cache: Decoded images are kept here and read again.
        train: Only the first so many training images.

    Raises:
        InputError: `../shared/data` is not there.
    """
    pixels = {part: _pixels(part, cache) for part in ("train", "test")}
    with np.load(SOURCE, allow_pickle=False) as arrays:
        labels = {part: arrays[f"y_{part}"].astype(np.int64) for part in pixels}
    kept = len(labels["train"]) - VALIDATION
    used = kept if train is None else min(train, kept)
    return dataset_of(
        name="cifar10",
        train=MemorySplit(images=pixels["train"][:used], labels=labels["train"][:used]),
        val=MemorySplit(images=pixels["train"][kept:], labels=labels["train"][kept:]),
        test=MemorySplit(images=pixels["test"], labels=labels["test"]),
        classes=CLASSES,
    )


def _pixels(part: str, cache: Path | None) -> NDArray[np.uint8]:
    kept = cache / f"cifar10_{part}.npy" if cache else None
    if kept and kept.exists():
        return np.load(kept, allow_pickle=False)  # type: ignore[no-any-return]
    if not SOURCE.exists():
        raise InputError(f"{SOURCE} is not there; the benchmarks need the project's shared data")
    with np.load(SOURCE, allow_pickle=False) as arrays:
        lengths, blob = arrays[f"len_{part}"].astype(np.int64), arrays[f"blob_{part}"].tobytes()
        head = arrays[f"head_{part}"].tobytes() if f"head_{part}" in arrays else b""
    ends = np.cumsum(lengths)
    images = [
        np.asarray(Image.open(io.BytesIO(head + blob[end - length : end])).convert("RGB"))
        for length, end in zip(lengths, ends, strict=True)
    ]
    stacked = np.stack(images)
    if kept:
        buffer = io.BytesIO()
        np.save(buffer, stacked)
        write_whole(kept, buffer.getvalue())
    return stacked
