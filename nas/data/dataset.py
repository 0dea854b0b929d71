"""`Dataset`: three splits of images, the classes' names and the normalisation, and what a run records of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

MIN_STD = 1e-3  # images of one colour must not divide by zero
CHUNK_IMAGES = 4096  # a pass over a split looks at so many at a time
UNEVEN = 1.5  # a ratio of class sizes from which on it is worth a note

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]


class Split(Protocol):
    """Images of one size with their labels, wherever the images are."""

    @property
    def labels(self) -> Labels:
        """(n,) int64, indices of the data set's classes."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of each image."""
        ...

    def __len__(self) -> int: ...

    def take(self, indices: Labels) -> Pixels:
        """Images (len(indices), h, w, c), in the order asked for."""
        ...

    def fingerprint(self) -> Iterator[bytes]:
        """What tells these images from others, for a digest."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MemorySplit:
    """A split in memory.

    Attributes:
        images: (n, h, w, c) uint8.
        labels: (n,) int64, indices of the data set's classes.
    """

    images: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of each image."""
        _, height, width, channels = self.images.shape
        return int(height), int(width), int(channels)

    def take(self, indices: Labels) -> Pixels:
        """Images (len(indices), h, w, c), in the order asked for."""
        return self.images[indices]

    def fingerprint(self) -> Iterator[bytes]:
        """The pixels."""
        for start in range(0, len(self), CHUNK_IMAGES):
            yield self.images[start : start + CHUNK_IMAGES].tobytes()


def subset(split: Split, indices: Labels) -> MemorySplit:
    """Some of a split's images, in memory and in the order asked for."""
    return MemorySplit(images=split.take(indices), labels=split.labels[indices])


def spread(split: Split, count: int) -> Labels:
    """Places of at most `count` images, evenly spread: those of a folder lie class by class."""
    return np.linspace(0, len(split) - 1, min(count, len(split))).round().astype(np.int64)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Dataset:
    """A data set; a network's input is `(x / 255 - mean) / std`.

    Attributes:
        mean, std: Of each channel over the training images, of values in [0, 1].
        notes: What was odd about the data, for the report.
        split_record: Split name -> its images' names, where a seed made the split; None: the data came split.
    """

    name: str
    train: Split
    val: Split
    test: Split
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: tuple[str, ...] = ()
    split_record: Mapping[str, tuple[str, ...]] | None = None

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return self.train.shape[2]

    @property
    def size_px(self) -> int:
        """Height and width of the images, pixels."""
        return self.train.shape[0]

    def splits(self) -> dict[str, Split]:
        """Split name -> split."""
        return {"train": self.train, "val": self.val, "test": self.test}

    def digest(self) -> str:
        """Twelve hexadecimal digits that differ when an image, a label or a class does; reads every image in memory."""
        sha = hashlib.sha256(repr((self.classes, self.train.shape)).encode())
        for split in self.splits().values():
            sha.update(split.labels.tobytes())
            for part in split.fingerprint():
                sha.update(part)
        return sha.hexdigest()[:12]

    def description(self) -> dict[str, Any]:
        """What a run records of its data, as plain data: what was inferred, sizes, and the digest."""
        count = len(self.classes)
        return {
            "name": self.name,
            "digest": self.digest(),
            "size_px": self.size_px,
            "channels": self.channels,
            "classes": list(self.classes),
            "mean": list(self.mean),
            "std": list(self.std),
            "images": {name: len(split) for name, split in self.splits().items()},
            "images_per_class": {
                name: np.bincount(split.labels, minlength=count).tolist() for name, split in self.splits().items()
            },
            "split_by_seed": self.split_record is not None,
            "notes": list(self.notes),
        }


def dataset_of(
    *,
    name: str,
    train: Split,
    val: Split,
    test: Split,
    classes: tuple[str, ...],
    notes: tuple[str, ...] = (),
    split_record: Mapping[str, tuple[str, ...]] | None = None,
    normalise_on: Split | None = None,
) -> Dataset:
    """Make a data set from its splits; mean and standard deviation are those of the training images.

    Args:
        name: Of the data set.
        train: Training images.
        val: Validation images.
        test: Test images.
        classes: Names, in the order of the labels.
        notes: What was odd about the data; uneven classes are added.
        split_record: Where a seed made the split: split name -> its images' names.
        normalise_on: A part of the training images that stands for all of them, where they are too many to read.
    """
    mean, std = _moments(normalise_on or train)
    return Dataset(
        name=name,
        train=train,
        val=val,
        test=test,
        classes=classes,
        mean=mean,
        std=std,
        notes=(*notes, *_uneven(train.labels, classes)),
        split_record=split_record,
    )


def _moments(split: Split) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, exact, from counts of the 256 values."""
    channels = split.shape[2]
    counts = np.zeros((channels, 256), dtype=np.int64)
    for start in range(0, len(split), CHUNK_IMAGES):
        images = split.take(np.arange(start, min(start + CHUNK_IMAGES, len(split))))
        counts += [np.bincount(images[..., channel].ravel(), minlength=256) for channel in range(channels)]
    values = np.arange(256) / 255
    mean = [float(np.average(values, weights=count)) for count in counts]
    var = [float(np.average((values - m) ** 2, weights=count)) for m, count in zip(mean, counts, strict=True)]
    return tuple(mean), tuple(max(v**0.5, MIN_STD) for v in var)


def _uneven(labels: Labels, classes: tuple[str, ...]) -> tuple[str, ...]:
    counts = np.bincount(labels, minlength=len(classes))
    most, least = int(counts.argmax()), int(counts.argmin())
    ratio = counts[most] / max(1, counts[least])
    if ratio < UNEVEN:
        return ()
    sizes = f"'{classes[most]}' has {counts[most]} training images, '{classes[least]}' {counts[least]}"
    return (f"the classes are uneven, {ratio:.1f} : 1: {sizes}; accuracy weighs images, not classes",)
