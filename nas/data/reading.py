"""A look at encoded images: which can be read, whether all are grey, and their pixels where these fit in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.data.dataset import Labels, Pixels
from nas.data.decode import Encoded, Images, header
from nas.data.streamed import Flags, StreamedSplit, decoded_ahead, in_workers
from nas.errors import InputError

MEMORY_GB = 2.0
CHUNK_IMAGES = 128
FEW_IMAGES = 1000  # are decoded before worker processes have started


@dataclass(frozen=True, kw_only=True, slots=True)
class Loading:
    """How a collection becomes a data set.

    Attributes:
        size_px: Height and width that images are resized to, pixels.
        seed: Of the split, where the data came without one.
        split: File of an earlier split to keep to.
        memory_gb: A part whose decoded images take more, in 10^9 bytes, is streamed from workers.
        workers: Processes that decode; None: one a core, at most 16; 0: this process.
    """

    size_px: int
    seed: int = 0
    split: Path | None = None
    memory_gb: float = MEMORY_GB
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.size_px < 1:
            raise InputError(f"data.size_px = {self.size_px}: must be at least 1 pixel")
        if not self.memory_gb >= 0:
            raise InputError(f"data.memory_gb = {self.memory_gb:g}: must be at least 0")
        if self.workers is not None and self.workers < 0:
            raise InputError(f"data.workers = {self.workers}: must be at least 0")

    def fits(self, images: int) -> bool:
        """Whether so many decoded colour images fit in memory."""
        return images * self.size_px**2 * 3 <= self.memory_gb * 1e9


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Chosen:
    """Some images of others."""

    images: Images
    places: Labels

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: int) -> Encoded:
        return self.images[int(self.places[place])]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Look:
    """Some images after a look at every image.

    Attributes:
        places: Of the images that can be read.
        broken: Of those that cannot.
        grey: Whether all are.
        pixels: (n, h, w, 3); None where they are streamed.
    """

    places: Labels
    broken: Labels
    grey: bool
    pixels: Pixels | None


def look(every: Images, places: Labels, loading: Loading) -> Look:
    """Look at some of the images, and decode them if they fit in memory.

    Raises:
        StorageError: A decoding process was killed.
    """
    images = Chosen(images=every, places=places)
    if not loading.fits(len(places)):
        grey, readable = _headers(images, loading.workers)
        return Look(places=places[readable], broken=places[~readable], grey=bool(grey[readable].all()), pixels=None)
    pixels, readable = decode_all(images, loading)
    pixels = pixels if readable.all() else pixels[readable]
    chunks = (pixels[start : start + CHUNK_IMAGES] for start in range(0, len(pixels), CHUNK_IMAGES))
    grey_all = all((chunk[..., :1] == chunk).all() for chunk in chunks)
    return Look(places=places[readable], broken=places[~readable], grey=grey_all, pixels=pixels)


def decode_all(images: Images, loading: Loading) -> tuple[Pixels, Flags]:
    """Decode images in colour: (n, h, w, 3), and which could be read (n,)."""
    count = len(images)
    coloured = StreamedSplit(
        images=images,
        labels=np.zeros(count, np.int64),
        size_px=loading.size_px,
        channels=3,
        workers=_workers(count, loading),
    )
    pixels = np.empty((count, *coloured.shape), dtype=np.uint8)
    readable = np.empty(count, dtype=np.bool_)
    done = 0
    for raw, fine in decoded_ahead(coloured, _chunks(count)):
        pixels[done : done + len(fine)], readable[done : done + len(fine)] = raw.numpy(), fine.numpy()
        done += len(fine)
    return pixels, readable


def _headers(images: Images, workers: int | None) -> tuple[Flags, Flags]:
    """Whether each image is grey, and whether it can be read."""
    chunks = _chunks(len(images))

    def heads_of(chunk: int) -> tuple[Flags, Flags]:
        heads = [header(images[int(place)]) for place in chunks[chunk]]
        grey = [head is not None and head.grey for head in heads]
        return np.array(grey), np.array([head is not None for head in heads])

    looks = list(in_workers(heads_of, len(chunks), workers))
    return np.concatenate([grey for grey, _ in looks]), np.concatenate([fine for _, fine in looks])


def _chunks(count: int) -> list[Labels]:
    return [np.arange(start, min(start + CHUNK_IMAGES, count)) for start in range(0, count, CHUNK_IMAGES)]


def _workers(images: int, loading: Loading) -> int | None:
    return 0 if images < FEW_IMAGES else loading.workers
