"""Synaptic flow (arXiv 2006.05467), as a score of architectures (arXiv 2101.08134): no data, one backward pass."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nas.arch import IMAGE
from nas.net import Network, parameter_shapes, run


def synflow(network: Network) -> float:
    """Logarithm of the sum over all weights w of |w| dR/d|w|, with R the sum of the outputs for an image of ones.

    Every weight counts by its absolute value, and batch norm is left out, so that the flow is that of the weights.
    The logarithm ranks alike and keeps deep networks within a float's range.
    """
    arch, own = network.arch, network.tensors()
    weights = {name: own[name].detach().double().abs().requires_grad_() for name in parameter_shapes(arch)}
    image = torch.ones(1, arch.widths[IMAGE], arch.size_px, arch.size_px, dtype=torch.float64)
    flow = run(arch, weights, image.to(next(network.parameters()).device), _no_norm).sum()
    used = [weight for name, weight in weights.items() if not name.endswith((".gamma", ".beta"))]
    total = sum(
        float((weight.detach() * gradient).sum())
        for weight, gradient in zip(used, torch.autograd.grad(flow, used), strict=True)
    )
    return math.log(total) if total > 0 else -math.inf


def _no_norm(_name: str, x: Tensor, _gamma: Tensor, _beta: Tensor) -> Tensor:
    return x
