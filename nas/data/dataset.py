"""`Dataset`: three splits of images in memory, the classes' names and the normalisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_STD = 1e-3  # images of one colour must not divide by zero


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Split:
    """Images and labels.

    Attributes:
        images: (n, h, w, c) uint8.
        labels: (n,) int64, indices of the data set's classes.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Dataset:
    """A data set; a network's input is `(x / 255 - mean) / std`.

    Attributes:
        mean, std: Of each channel over the training images, of values in [0, 1].
        notes: What was odd about the data, for the report.
    """

    name: str
    train: Split
    val: Split
    test: Split
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return int(self.train.images.shape[3])

    @property
    def size_px(self) -> int:
        """Height and width of the images, pixels."""
        return int(self.train.images.shape[1])


def dataset_of(
    *, name: str, train: Split, val: Split, test: Split, classes: tuple[str, ...], notes: tuple[str, ...] = ()
) -> Dataset:
    """Make a data set from its splits; mean and standard deviation are those of the training images."""
    channels = range(train.images.shape[3])
    counts = [np.bincount(train.images[..., channel].ravel(), minlength=256) for channel in channels]
    values = np.arange(256) / 255
    mean = [float(np.average(values, weights=count)) for count in counts]
    var = [float(np.average((values - m) ** 2, weights=count)) for m, count in zip(mean, counts, strict=True)]
    return Dataset(
        name=name,
        train=train,
        val=val,
        test=test,
        classes=classes,
        mean=tuple(mean),
        std=tuple(max(v**0.5, MIN_STD) for v in var),
        notes=notes,
    )
