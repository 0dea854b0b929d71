"""Batches for a network, in plain torch on its device: raw bytes are shuffled and augmented, then normalised."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from nas.data.dataset import Dataset, Split

Batch = tuple[Tensor, Tensor]  # raw images (n, h, w, c) uint8, labels (n,) int64


def on_device(split: Split, device: str) -> Batch:
    """Put a split on a device, `cpu` or `cuda`, as raw bytes."""
    return torch.from_numpy(split.images).to(device), torch.from_numpy(split.labels).to(device)


def to_input(raw: Tensor, dataset: Dataset, *, size_px: int) -> Tensor:
    """Turn raw images (n, h, w, c) into what a network reads: (n, c, size_px, size_px) float32, channels-last.

    Args:
        raw: Images, uint8.
        dataset: Whose mean and standard deviation normalise.
        size_px: Input size of the network; the images are resized when theirs differs.
    """
    mean = torch.tensor(dataset.mean, device=raw.device)
    std = torch.tensor(dataset.std, device=raw.device)
    x = ((raw.float() / 255 - mean) / std).permute(0, 3, 1, 2)
    if x.shape[-1] == size_px:
        return x
    return functional.interpolate(x, size=(size_px, size_px), mode="bilinear", antialias=True)


def batches(data: Batch, *, batch: int, seed: int, epoch: int) -> Iterator[Batch]:
    """Yield an epoch's full batches in an order that only `seed` and `epoch` decide; the rest is left out."""
    raw, labels = data
    order = torch.randperm(len(labels), generator=generator_of(seed, epoch))
    for start in range(0, len(labels) - batch + 1, batch):
        chosen = order[start : start + batch].to(raw.device)
        yield raw[chosen], labels[chosen]


def augment(raw: Tensor, *, flip: bool, shift_px: int, generator: torch.Generator) -> Tensor:
    """Flip each image left-right with probability 1/2 and shift it by up to `shift_px`, edges repeated.

    Args:
        raw: Images (n, h, w, c).
        flip: Whether to flip.
        shift_px: Largest shift in each direction, pixels; 0 for none.
        generator: Of the CPU; decides flips and shifts.
    """
    n, height, width, _ = raw.shape
    rows, columns = torch.arange(height).expand(n, height), torch.arange(width).expand(n, width)
    if flip:
        flipped = torch.rand(n, 1, generator=generator) < 0.5
        columns = torch.where(flipped, width - 1 - columns, columns)
    if shift_px:
        shift = torch.randint(-shift_px, shift_px + 1, (2, n, 1), generator=generator)
        rows = (rows + shift[0]).clamp(0, height - 1)
        columns = (columns + shift[1]).clamp(0, width - 1)
    image = torch.arange(n, device=raw.device)[:, None, None]
    return raw[image, rows.to(raw.device)[:, :, None], columns.to(raw.device)[:, None, :]]


def generator_of(seed: int, epoch: int) -> torch.Generator:
    """A CPU generator that only `seed` and `epoch` decide."""
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)
