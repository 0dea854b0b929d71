"""`StreamedSplit`: images too many for memory, decoded by worker processes ahead of use.

The workers are those of `torch.utils.data.DataLoader`: they draw nothing at random, and end with this process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from nas.data.dataset import Labels, Pixels
from nas.data.decode import BROKEN, Encoded, Images, decode
from nas.errors import StorageError

MOST_WORKERS = 16
AHEAD = 4  # batches that each worker keeps ready

Decoded = tuple[Tensor, Tensor]  # raw images (n, h, w, c) uint8, which could be read (n,) bool
Work = Callable[[Labels], Decoded]


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
        return decode_some(self, indices)[0].numpy()

    def fingerprint(self) -> Iterator[bytes]:
        """Names and sizes of files, or a length and the last bytes of images that are bytes."""
        yield repr(self.shape).encode()
        for place in range(len(self)):
            yield _mark(self.images[place])


def decode_some(split: StreamedSplit, indices: Labels) -> Decoded:
    """Decode images here: pixels (n, h, w, c), black where it failed, and where it did not (n,)."""
    decoded = torch.empty((len(indices), *split.shape), dtype=torch.uint8)
    if get_worker_info() is not None:
        decoded.share_memory_()  # type: ignore[no-untyped-call]  # the training process reads it there: a copy less
    pixels, readable = decoded.numpy(), torch.ones(len(indices), dtype=torch.bool)
    for place, index in enumerate(indices):
        try:
            pixels[place] = decode(split.images[int(index)], size_px=split.size_px, channels=split.channels)
        except BROKEN:
            pixels[place] = 0
            readable[place] = False
    return decoded, readable


def in_workers(work: Work, places: Sequence[Labels], workers: int | None, *, pinned: bool = False) -> Iterator[Decoded]:
    """Do some work for each group of places in worker processes, in order and ahead of use.

    Args:
        work: Returns two tensors.
        places: Groups of images.
        workers: Processes; None: one a core, at most 16; 0: this process.
        pinned: Whether the tensors lie in memory that a CUDA device copies from fast.

    Raises:
        StorageError: A worker was killed, by the system when memory ran out.
    """
    wanted = min(len(os.sched_getaffinity(0)), MOST_WORKERS) if workers is None else workers
    count = min(wanted, len(places))
    loader = DataLoader(
        _Groups(work, places),
        batch_size=None,
        shuffle=False,
        num_workers=count,
        prefetch_factor=AHEAD if count else None,
        pin_memory=pinned,
        multiprocessing_context="fork" if count else None,
    )
    try:
        yield from loader
    except RuntimeError as error:
        if "worker" not in str(error):
            raise
        line = str(error).splitlines()[0]
        raise StorageError(f"decoding images: {line}; lower data.workers or free memory") from None


class _Groups(Dataset[Decoded]):
    """Item i is the work done for group i."""

    def __init__(self, work: Work, places: Sequence[Labels]) -> None:
        self._work, self._places = work, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Decoded:
        return self._work(self._places[index])


def _mark(image: Encoded) -> bytes:
    if isinstance(image, Path):
        return f"{image.parent.name}/{image.name} {image.stat().st_size}\n".encode()
    return len(image).to_bytes(8, "little") + image[-64:]
