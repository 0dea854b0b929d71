"""Batch norm as a strategy: which statistics a walk normalises with.

A `Norm` is called with a layer's name, its input (n, c, h, w), gamma (c,) and beta (c,), and returns the normalised
input. A supernet has no running statistics, so every forward pass has to say where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-5

Norm = Callable[[str, Tensor, Tensor, Tensor], Tensor]
Stats = Mapping[str, tuple[Tensor, Tensor]]  # layer name -> (mean (c,), biased variance (c,))


def batch_statistics(_name: str, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """Normalise with the batch's own statistics (training)."""
    return functional.batch_norm(x, None, None, gamma, beta, training=True, eps=EPSILON)


def given(stats: Stats) -> Norm:
    """Normalise with given statistics (evaluation)."""

    def normalise(name: str, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        mean, var = stats[name]
        return functional.batch_norm(x, mean, var, gamma, beta, training=False, eps=EPSILON)

    return normalise


class Collector:
    """Normalise with batch statistics and pool them over all batches seen (recalibration).

    The pooled statistics are the exact mean and variance of all values seen, whatever the sizes of the batches.
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, Tensor, Tensor]] = {}

    def __call__(self, name: str, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """Normalise one batch."""
        mean, var = torch.zeros_like(gamma), torch.ones_like(gamma)
        y = functional.batch_norm(x, mean, var, gamma, beta, training=True, momentum=1.0, eps=EPSILON)
        self._pool(name, x.numel() // len(gamma), mean.detach().double(), var.detach().double())
        return y

    def stats(self) -> Stats:
        """Return the pooled statistics, float32."""
        found = {}
        for name, (count, total, squares) in self._sums.items():
            mean = total / count
            found[name] = (mean.float(), (squares / count - mean.square()).clamp(min=0).float())
        return found

    def _pool(self, name: str, count: int, mean: Tensor, unbiased: Tensor) -> None:
        squares = unbiased * (count - 1) + mean.square() * count
        before = self._sums.get(name, (0, torch.zeros_like(mean), torch.zeros_like(mean)))
        self._sums[name] = (before[0] + count, before[1] + mean * count, before[2] + squares)
