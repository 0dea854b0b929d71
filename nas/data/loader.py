"""`Loader`: a split's batches on the device that trains, in an order that only the seed and the epoch decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nas.data.batches import Batch, generator_of
from nas.data.dataset import Labels, MemorySplit, Split
from nas.data.streamed import StreamedSplit, decoded_ahead
from nas.errors import StorageError


class Loader:
    """Gives batches of a split: from memory, put on the device once, or decoded by worker processes ahead of use."""

    def __init__(self, split: Split, device: str = "cpu") -> None:
        """Put a split in memory on the device.

        Args:
            split: In memory or streamed.
            device: `cpu` or `cuda`.
        """
        self._split, self._device = split, device
        self.unreadable: set[int] = set()  # images that others of their batch stood in for
        self._labels = torch.from_numpy(split.labels).to(device)
        self._raw = torch.from_numpy(split.images).to(device) if isinstance(split, MemorySplit) else None

    def __len__(self) -> int:
        return len(self._split)

    def batches(
        self, *, batch: int, seed: int, epoch: int, skip: int = 0, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield an epoch's full batches; images that fill no batch are left out.

        Args:
            batch: Images of a batch of this process.
            seed: Of the order, with
            epoch: which pass this is.
            skip: Batches to leave out at the start, where a training goes on in the middle of an epoch.
            rank: Which contiguous share of every `batch * world` images this process gets.
            world: Processes that train together.

        Yields:
            Raw images (batch, h, w, c) uint8 and labels (batch,) int64.
        """
        order = torch.randperm(len(self), generator=generator_of(seed, epoch))
        together = batch * world
        starts = range(skip * together + rank * batch, len(self) // together * together, together)
        yield from self._at([order[start : start + batch] for start in starts])

    def in_order(self, *, batch: int) -> Iterator[Batch]:
        """Yield all images in the split's own order; the last batch may be smaller."""
        starts = range(0, len(self), batch)
        if self._raw is None:
            yield from self._streamed([torch.arange(start, min(start + batch, len(self))) for start in starts])
            return
        for start in starts:
            yield self._raw[start : start + batch], self._labels[start : start + batch]

    def take(self, indices: Labels) -> Tensor:
        """Raw images (len(indices), h, w, c) uint8 on the device, in the order asked for."""
        if self._raw is not None:
            return self._raw[torch.from_numpy(indices).to(self._device)]
        return torch.from_numpy(self._split.take(indices)).to(self._device)

    def _at(self, places: Sequence[Tensor]) -> Iterator[Batch]:
        if self._raw is None:
            yield from self._streamed(places)
            return
        for chosen in places:
            here = chosen.to(self._device)
            yield self._raw[here], self._labels[here]

    def _streamed(self, places: Sequence[Tensor]) -> Iterator[Batch]:
        assert isinstance(self._split, StreamedSplit)
        cuda = self._device.startswith("cuda")
        split = self._split
        groups = [chosen.numpy() for chosen in places]
        decoded = decoded_ahead(split, groups, pinned=cuda)
        for chosen, (raw, readable) in zip(places, decoded, strict=True):
            kept, pixels = chosen, raw
            if not readable.all():
                source = self._stand_ins(readable, chosen)
                kept, pixels = chosen[source], raw[source]
            yield pixels.to(self._device, non_blocking=True), self._labels[kept.to(self._device)]

    def _stand_ins(self, readable: Tensor, chosen: Tensor) -> Tensor:
        """Places of a batch, with the readable image before it for each that can no longer be read."""
        if not readable.any():
            raise StorageError(f"none of {len(chosen)} images can be read any more; was the data moved?")
        self.unreadable.update(chosen[~readable].tolist())
        nearest = torch.where(readable, torch.arange(len(chosen)), -1).cummax(dim=0).values
        return nearest.where(nearest >= 0, readable.int().argmax())
