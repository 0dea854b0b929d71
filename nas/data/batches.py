"""A batch, what a network reads of it, and the generators that decide what a training does to it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from nas.data.dataset import Dataset, Labels, Split

Batch = tuple[Tensor, Tensor]  # raw images (n, h, w, c) uint8, labels (n,) int64


def to_input(raw: Tensor, dataset: Dataset, *, size_px: int) -> Tensor:
    """Turn raw images (n, h, w, c) into what a network reads: (n, c, size_px, size_px) float32, channels-last.

    Args:
        raw: Images, uint8 or float in 0..255.
        dataset: Whose mean and standard deviation normalise.
        size_px: Input size of the network; the images are resized when theirs differs.
    """
    mean = torch.tensor(dataset.mean, device=raw.device)
    std = torch.tensor(dataset.std, device=raw.device)
    x = ((raw.float() / 255 - mean) / std).permute(0, 3, 1, 2)
    if x.shape[-1] == size_px:
        return x
    return functional.interpolate(x, size=(size_px, size_px), mode="bilinear", antialias=True)


def generator_of(seed: int, epoch: int) -> torch.Generator:
    """A CPU generator that only `seed` and `epoch` decide."""
    return torch.Generator().manual_seed(seed * 1_000_003 + epoch)


def drawn(split: Split, images: int, *, seed: int) -> Labels:
    """Places of at most `images` random images of a split; `seed` alone chooses them."""
    return torch.randperm(len(split), generator=generator_of(seed, 0))[:images].numpy()
