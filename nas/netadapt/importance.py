"""How much the filters behind a width weigh: the L2 norms of their weights, batch norm folded in."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nas.arch import Kind
from nas.net import Network, fold

Importance = Mapping[str, Tensor]  # width name -> (channels,)


def importance(network: Network) -> Importance:
    """Sum the norms of the filters that make each channel, over all layers that make its width.

    Residual groups so count every block that adds to a channel. Bottlenecks of squeeze-excites are widths too.
    """
    weights = fold(network)
    found: dict[str, Tensor] = {}
    for layer in network.arch.layers:
        name, width = f"{layer.name}.weight", layer.width
        if layer.kind is Kind.SE:
            name, width = f"{layer.name}.down.weight", layer.squeeze
        if width and name in weights:
            norms = torch.from_numpy(weights[name]).flatten(1).norm(dim=1)
            found[width] = found.get(width, torch.zeros_like(norms)) + norms
    return found


def strongest(weights: Tensor, channels: int) -> Tensor:
    """Positions (channels,) of the largest of (n,) weights, ascending; of equal ones the first.

    >>> strongest(torch.tensor([3.0, 1.0, 2.0]), 2)
    tensor([0, 2])
    """
    return weights.argsort(descending=True, stable=True)[:channels].sort().values
