"""How much the filters behind a width weigh, in one of three ways.

Channels of a width are made by every layer that writes it: of a residual group by all of its blocks. Bottlenecks of
squeeze-excites are widths too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import assert_never

import torch
from torch import Tensor
from torch.nn import functional

from nas.arch import Arch, Kind
from nas.errors import InputError
from nas.net import Network, fold

Importance = Mapping[str, Tensor]  # width name -> (channels,)
Weigh = Callable[[Network], Importance]
Calibration = Callable[[int], tuple[Tensor, Tensor]]  # size_px -> images (n, c, size_px, size_px) and labels (n,)

BATCH = 64  # images; a calibration batch is gone through in parts of so many


class Weighing(StrEnum):
    """What a filter's weight is."""

    L2 = "l2"  # norm of its weights, batch norm folded in
    BN_SCALE = "bn_scale"  # batch norm's scale (Network Slimming, arXiv 1708.06519)
    TAYLOR = "taylor"  # change of the loss without it, to first order (arXiv 1906.10771)


def weigher(weighing: Weighing, calibration: Calibration | None = None) -> Weigh:
    """What weighs filters in a given way.

    Args:
        weighing: The way.
        calibration: Gives a batch on the network's device; only `taylor` asks for it, and cannot do without.

    Raises:
        InputError: It is missing.
    """
    match weighing:
        case Weighing.L2:
            return importance
        case Weighing.BN_SCALE:
            return scales
        case Weighing.TAYLOR:
            if calibration is None:
                raise InputError(f"importance={weighing} looks at images, and there are none; give a calibration batch")
            return lambda network: taylor(network, *calibration(network.arch.size_px))
        case _:
            assert_never(weighing)


def importance(network: Network) -> Importance:
    """Sum the norms of the filters that make each channel, over all layers that make its width."""
    folded = fold(network)
    norms = {name: torch.from_numpy(array).flatten(1).norm(dim=1) for name, array in folded.items() if array.ndim > 1}
    return _summed(network.arch, lambda maker: norms[f"{maker}.weight"])


def scales(network: Network) -> Importance:
    """Sum the sizes of batch norm's scales; of a layer without batch norm the norms of its filters."""
    tensors = {name: tensor.detach().cpu() for name, tensor in network.tensors().items()}

    def scale(maker: str) -> Tensor:
        gamma = tensors.get(f"{maker}.gamma")
        return tensors[f"{maker}.weight"].flatten(1).norm(dim=1) if gamma is None else gamma.abs()

    return _summed(network.arch, scale)


def taylor(network: Network, images: Tensor, labels: Tensor) -> Importance:
    """Root of the mean square, over parts of a batch, of what the loss changes by without a channel, to first order.

    All layers that make a channel lose it together, so their changes are added before the square is taken.
    """
    mode, squares = network.training, dict[str, Tensor]()
    network.eval()
    parts = range(0, len(labels), BATCH)
    for first in parts:
        x, y = images[first : first + BATCH], labels[first : first + BATCH]
        for width, change in _loss_changes(network, x, y).items():
            squares[width] = squares.get(width, torch.zeros_like(change)) + change.square()
    network.train(mode)
    return {width: (total / len(parts)).sqrt() for width, total in squares.items()}


def strongest(weights: Tensor, channels: int) -> Tensor:
    """Positions (channels,) of the largest of (n,) weights, ascending; of equal ones the first.

    >>> strongest(torch.tensor([3.0, 1.0, 2.0]), 2)
    tensor([0, 2])
    """
    return weights.argsort(descending=True, stable=True)[:channels].sort().values


def _loss_changes(network: Network, x: Tensor, y: Tensor) -> Importance:
    """Width -> weight times gradient, summed over everything that is lost with each channel."""
    parameters = dict(network.named_parameters())
    loss = functional.cross_entropy(network(x), y)
    gradients = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))

    def change(maker: str) -> Tensor:
        keys = ("gamma", "beta") if f"{maker}.gamma" in parameters else ("weight", "bias")
        names = [name for key in keys if (name := f"{maker}.{key}") in parameters]
        lost = [(parameters[name].detach() * gradients[name]).reshape(len(gradients[name]), -1) for name in names]
        return torch.cat(lost, dim=1).sum(dim=1).cpu()

    return _summed(network.arch, change)


def _summed(arch: Arch, of: Callable[[str], Tensor]) -> Importance:
    found: dict[str, Tensor] = {}
    for maker, width in _makers(arch):
        own = of(maker)
        found[width] = found[width] + own if width in found else own
    return found


def _makers(arch: Arch) -> Iterator[tuple[str, str]]:
    """What the tensors are called that make a width's channels, and the width."""
    for layer in arch.layers:
        if layer.kind is Kind.SE:
            yield f"{layer.name}.down", layer.squeeze
        elif layer.width and layer.kind in (Kind.CONV, Kind.LINEAR):
            yield layer.name, layer.width
