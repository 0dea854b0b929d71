"""ZiCo (arXiv 2301.11300): gradients that are large and alike from batch to batch learn fast and generalise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nas.accuracy.zero_cost.gradients import weight_gradients
from nas.errors import InputError
from nas.net import Network

BATCHES = 4


def zico(network: Network, images: Tensor, labels: Tensor, *, batches: int = BATCHES) -> float:
    """Sum over layers of log(sum over weights of the mean of |g| over its standard deviation), g from batch to batch.

    A weight whose gradient does not vary, and a layer of such weights, is left out.

    Args:
        network: With fresh weights.
        images: Normalised (n, c, h, w).
        labels: (n,) int64.
        batches: Parts that the images are split into.

    Raises:
        InputError: There are fewer than two parts, or fewer images than parts.
    """
    if not 2 <= batches <= len(images):
        raise InputError(
            f"ZiCo compares batches: {batches} of {len(images)} images; give 2 or more, no larger a number"
        )
    parts = zip(images.tensor_split(batches), labels.tensor_split(batches), strict=True)
    found = [weight_gradients(network, x, y) for x, y in parts]
    return sum(_layer([gradients[name] for gradients in found]) for name in found[0])


def _layer(gradients: list[Tensor]) -> float:
    sizes = torch.stack(gradients).double().abs()  # (batches, *weight)
    mean, sd = sizes.mean(dim=0), sizes.std(dim=0, correction=0)
    total = float((mean[sd > 0] / sd[sd > 0]).sum())
    return math.log(total) if total > 0 else 0.0
