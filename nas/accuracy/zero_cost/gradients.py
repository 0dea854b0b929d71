"""Gradients of a fresh network's weights on labelled images: what gradient norm and ZiCo are made of."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from nas.net import Network, batch_statistics, parameter_shapes, run


def weight_gradients(network: Network, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Gradient of the mean cross-entropy by the name of each convolution's and linear layer's weight.

    Args:
        network: Left as it is; the batch's own statistics normalise.
        images: Normalised (n, c, h, w).
        labels: (n,) int64.
    """
    tensors = {name: tensor.detach() for name, tensor in network.tensors().items()}
    shapes = parameter_shapes(network.arch)
    weights = {name: tensors[name].requires_grad_() for name, shape in shapes.items() if len(shape) > 1}
    loss = functional.cross_entropy(run(network.arch, tensors, images, batch_statistics), labels)
    return dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))
