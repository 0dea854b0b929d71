"""`StreamedSplit`: images too many for memory, decoded by worker processes ahead of use.

The workers are those of `torch.utils.data.DataLoader`: they draw nothing at random, and end with this process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nas.data.dataset import Labels, Pixels
from nas.data.decode import BROKEN, Encoded, Images, decode
from nas.errors import StorageError

MOST_WORKERS = 16
AHEAD = 4  # batches that each worker keeps ready

Decoded = tuple[Tensor, Tensor]  # raw images (n, h, w, c) uint8, which could be read (n,) bool
Flags = NDArray[np.bool_]
Done = TypeVar("Done")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StreamedSplit:
    """A split whose images stay encoded.

    Attributes:
        images: Files or bytes.
        labels: (n,) int64, indices of the data set's classes.
        size_px: Height and width that they are resized to, pixels.
        channels: 1 or 3.
        workers: Processes that decode for a `Loader`; None: one a core, at most 16; 0: this process.
    """

    images: Images
    labels: Labels
    size_px: int
    channels: int
    workers: int | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of each decoded image."""
        return self.size_px, self.size_px, self.channels

    def take(self, indices: Labels) -> Pixels:
        """Decode images here, in the order asked for; one that cannot be read is black."""
        pixels = torch.empty((len(indices), *self.shape), dtype=torch.uint8)
        _decode_into(pixels, self, indices)
        return pixels.numpy()

    def fingerprint(self) -> Iterator[bytes]:
        """Names and sizes of files, or a length and the last bytes of images that are bytes."""
        yield repr(self.shape).encode()
        for place in range(len(self)):
            yield _mark(self.images[place])


def decoded_ahead(split: StreamedSplit, groups: Sequence[Labels], *, pinned: bool = False) -> Iterator[Decoded]:
    """Decode groups of images in the split's workers, in order and ahead of use: pixels, black where it failed.

    Workers write into memory that is shared once for all groups: new shared memory for each cost a tenth of the rate.

    Args:
        split: What the groups index.
        groups: Each (n,).
        pinned: Whether pixels lie in memory that a CUDA device copies from fast.

    Raises:
        StorageError: A worker was killed, by the system when memory ran out.
    """
    workers = _workers(split.workers, len(groups))
    slots = min(len(groups), workers * AHEAD + 2)  # those under way, the one being read, and one to spare
    most = max(map(len, groups), default=0)
    ring = torch.empty((slots, most, *split.shape), dtype=torch.uint8)
    if workers:
        ring.share_memory_()  # type: ignore[no-untyped-call]

    def work(place: int) -> Flags:
        return _decode_into(ring[place % slots], split, groups[place])

    for place, readable in enumerate(in_workers(work, len(groups), workers)):
        pixels = ring[place % slots, : len(readable)]
        yield pixels.pin_memory() if pinned else pixels.clone(), torch.from_numpy(readable)


def in_workers(work: Callable[[int], Done], items: int, workers: int | None) -> Iterator[Done]:
    """Do some work for each of so many items in worker processes, in order and ahead of use.

    Args:
        work: Told the item, from 0; what it returns is small.
        items: How many.
        workers: Processes; None: one a core, at most 16; 0: this process.

    Raises:
        StorageError: A worker was killed, by the system when memory ran out.
    """
    count = _workers(workers, items)
    loader = DataLoader(
        _Items(work, items),
        batch_size=None,
        shuffle=False,
        num_workers=count,
        prefetch_factor=AHEAD if count else None,
        collate_fn=_as_it_is,
        multiprocessing_context="fork" if count else None,
    )
    try:
        yield from loader
    except RuntimeError as error:
        if "worker" not in str(error):
            raise
        line = str(error).splitlines()[0]
        raise StorageError(f"decoding images: {line}; lower data.workers or free memory") from None


class _Items(Dataset[Done]):
    """Item i is the work done for it."""

    def __init__(self, work: Callable[[int], Done], items: int) -> None:
        self._work, self._items = work, items

    def __len__(self) -> int:
        return self._items

    def __getitem__(self, item: int) -> Done:
        return self._work(item)


def _workers(wanted: int | None, items: int) -> int:
    return min(min(len(os.sched_getaffinity(0)), MOST_WORKERS) if wanted is None else wanted, items)


def _decode_into(pixels: Tensor, split: StreamedSplit, indices: Labels) -> Flags:
    """Write images into the first of `pixels`, black where one cannot be read; which can (n,)."""
    array, readable = pixels.numpy(), np.ones(len(indices), dtype=np.bool_)
    for place, index in enumerate(indices):
        try:
            array[place] = decode(split.images[int(index)], size_px=split.size_px, channels=split.channels)
        except BROKEN:
            array[place] = 0
            readable[place] = False
    return readable


def _as_it_is(done: Done) -> Done:
    return done


def _mark(image: Encoded) -> bytes:
    if isinstance(image, Path):
        return f"{image.parent.name}/{image.name} {image.stat().st_size}\n".encode()
    return len(image).to_bytes(8, "little") + image[-64:]
