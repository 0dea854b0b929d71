"""Geometry of augmentation: flip, shift, random resized crop and affine maps, in plain torch on the batch's device.

Each function draws for the whole batch of `total` images and takes the `share` that it was given.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

MOST_LOG_ASPECT = math.log(4 / 3)  # of width / height of a random crop, uniform (arXiv 1409.4842)


def shifted(raw: Tensor, *, flip: bool, shift_px: int, generator: torch.Generator, total: int, share: slice) -> Tensor:
    """Flip each image left-right with probability 1/2 and shift it by up to `shift_px`, edges repeated.

    Args:
        raw: Images (n, h, w, c).
        flip: Whether to flip.
        shift_px: Largest shift in each direction, pixels; 0 for none.
        generator: Of the CPU; decides flips and shifts.
        total: Images to draw for.
        share: Which of them these are.
    """
    n, height, width, _ = raw.shape
    device = raw.device
    rows = torch.arange(height, device=device).expand(n, height)
    columns = torch.arange(width, device=device).expand(n, width)
    if flip:
        flipped = torch.rand(total, 1, generator=generator)[share] < 0.5
        columns = torch.where(flipped.to(device), width - 1 - columns, columns)
    if shift_px:
        shift = torch.randint(-shift_px, shift_px + 1, (2, total, 1), generator=generator)[:, share].to(device)
        rows = (rows + shift[0]).clamp(0, height - 1)
        columns = (columns + shift[1]).clamp(0, width - 1)
    image = torch.arange(n, device=device)[:, None, None]
    return raw[image, rows[:, :, None], columns[:, None, :]]


def cropped(raw: Tensor, *, least_area: float, rng: np.random.Generator, total: int, share: slice) -> Tensor:
    """Cut a random part of each image, at least `least_area` of it, and resize it back: float (n, h, w, c)."""
    area = rng.uniform(least_area, 1, total)
    aspect = np.exp(rng.uniform(-MOST_LOG_ASPECT, MOST_LOG_ASPECT, total))
    sides = np.minimum(np.sqrt(np.stack([area * aspect, area / aspect])), 1)  # of width and height, as shares
    centres = rng.uniform(-1, 1, (2, total)) * (1 - sides)
    theta = np.zeros((total, 2, 3))
    theta[:, 0, 0], theta[:, 1, 1] = sides
    theta[:, 0, 2], theta[:, 1, 2] = centres
    x = raw.permute(0, 3, 1, 2).float()
    return warped(x, theta[share], outside="border").permute(0, 2, 3, 1)


def warped(x: Tensor, theta: NDArray[np.float64], *, outside: Literal["zeros", "border"]) -> Tensor:
    """Map images by affine maps, bilinearly.

    Args:
        x: Images (n, c, h, w).
        theta: (n, 2, 3), from output to input coordinates in [-1, 1].
        outside: What lies beyond the borders: zeros, or the nearest pixel.
    """
    matrices = torch.from_numpy(theta).to(x.device, x.dtype)
    grid = functional.affine_grid(matrices, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode=outside, align_corners=False)
