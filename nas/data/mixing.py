"""Erasing and mixing: rectangles of one colour, and pairs of images blended (mixup) or pasted together (CutMix).

A batch is in random order, so each image is mixed with its neighbour: pairs stay within any share of even size.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

ERASED_AREA = (0.02, 0.33)  # share of an image, and
MOST_LOG_ASPECT = math.log(3.3)  # width / height of what is erased (arXiv 1708.04896)

Array = NDArray[np.float64]


def erased(raw: Tensor, *, probability: float, rng: np.random.Generator, total: int, share: slice) -> Tensor:
    """Paint a random rectangle of some images (n, h, w, c) in a random colour."""
    hit = rng.random(total) < probability
    area = rng.uniform(*ERASED_AREA, total) * hit
    aspect = np.exp(rng.uniform(-MOST_LOG_ASPECT, MOST_LOG_ASPECT, total))
    sides = np.sqrt(np.stack([area / aspect, area * aspect]))
    inside = rectangles(rng.random((2, total))[:, share], sides[:, share], like=raw)
    colour = torch.from_numpy(rng.integers(0, 256, (total, 1, 1, raw.shape[3]), dtype=np.uint8)[share])
    return torch.where(inside[..., None], colour.to(raw.device, raw.dtype), raw)


def mixed(
    raw: Tensor,
    labels: Tensor,
    *,
    mixup: float,
    cutmix: float,
    classes: int,
    rng: np.random.Generator,
    total: int,
    share: slice,
) -> tuple[Tensor, Tensor]:
    """Mix each image with its neighbour, which gets the rest.

    Args:
        raw: Images (n, h, w, c).
        labels: (n,) int64.
        mixup: Alpha of blending; 0 for none.
        cutmix: Alpha of pasting; 0 for none.
        classes: Width of the mixed labels.
        rng: Decides.
        total: Images to draw for.
        share: Which of them these are.

    Returns:
        Images (n, h, w, c) float; labels (n, classes) float, the shares of each class. A last image without a
        neighbour stays as it is.
    """
    n = len(raw)
    own = np.ones(total)  # the share of each image that stays its own
    pastes = np.full(total, bool(cutmix))
    if mixup and cutmix:
        pastes = rng.random(total) < 0.5
    if mixup:
        own[~pastes] = rng.beta(mixup, mixup, total)[~pastes]
    if cutmix:
        own[pastes] = rng.beta(cutmix, cutmix, total)[pastes]
    centres = rng.random((2, total))
    own, pastes, centres = _of_pairs(own[share]), _of_pairs(pastes[share]), _of_pairs(centres[:, share])
    if n % 2:
        own[-1], pastes[-1] = 1, False
    pasted = rectangles(centres, np.sqrt(1 - np.stack([own, own])) * pastes, like=raw).float()
    blend = torch.from_numpy(np.where(pastes, 1, own)).to(raw.device, torch.float32)[:, None, None]
    weight = blend * (1 - pasted)  # (n, h, w), of the image itself
    partner = torch.arange(n - n % 2, device=raw.device) ^ 1
    if n % 2:
        partner = torch.cat([partner, partner.new_tensor([n - 1])])
    x = raw.float()
    target = functional.one_hot(labels, classes).float()
    kept = weight.mean(dim=(1, 2))[:, None]
    return torch.lerp(x[partner], x, weight[..., None]), torch.lerp(target[partner], target, kept)


def _of_pairs(draws: NDArray[Any]) -> NDArray[Any]:
    """Give both images of a pair the draws of the first: the last axis is the images."""
    return draws[..., np.arange(draws.shape[-1]) // 2 * 2]


def rectangles(centres: Array, sides: Array, *, like: Tensor) -> Tensor:
    """Whether each pixel lies in its image's rectangle, cut off at the borders: bool (n, h, w).

    Args:
        centres: (2, n), down and right, in shares of the image.
        sides: (2, n), heights and widths, in shares of the image; 0 for no rectangle.
        like: Images (n, h, w, c).
    """
    inside = []
    for centre, side, pixels in zip(centres, sides, like.shape[1:3], strict=True):
        first, last = np.rint((centre - side / 2) * pixels), np.rint((centre + side / 2) * pixels)
        places = torch.arange(pixels, device=like.device)
        low, high = (torch.from_numpy(edge).to(like.device, torch.int64)[:, None] for edge in (first, last))
        inside.append((places >= low) & (places < high))
    return inside[0][:, :, None] & inside[1][:, None, :]
