"""Gradient norm (arXiv 2101.08134, section 3.2): how strongly one batch pulls at a fresh network's weights."""

from __future__ import annotations

from torch import Tensor

from nas.accuracy.zero_cost.gradients import weight_gradients
from nas.net import Network


def grad_norm(network: Network, images: Tensor, labels: Tensor) -> float:
    """Sum of the Euclidean norms of the gradients of all convolutions' and linear layers' weights.

    Args:
        network: With fresh weights.
        images: Normalised (n, c, h, w).
        labels: (n,) int64.
    """
    return sum(float(gradient.norm()) for gradient in weight_gradients(network, images, labels).values())
