"""NASWOT (arXiv 2006.04647): how differently a fresh network's activations switch on and off for different images.

N_l: activations of layer l that an image has; c_i: the on-off code of image i, one bit an activation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nas.arch import Act
from nas.net import Network, batch_statistics, run


@torch.no_grad()
def naswot(network: Network, images: Tensor) -> float:
    """Logarithm of the determinant of K, with K_ij the number of activations that agree for images i and j.

    An activation is on where its input, a batch norm's output, is positive; that is the paper's for ReLU, and stands
    for the switch of the smooth ones. Activations without a batch norm before them are not counted.

    Args:
        network: With fresh weights; the batch's own statistics normalise.
        images: Normalised (n, c, h, w), n of at least 2.
    """
    switched = {
        layer.name
        for layer, op in zip(network.arch.layers, network.arch.ops(), strict=True)
        if op.act is not Act.IDENTITY
    }
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64, device=images.device)

    def norm(name: str, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        y = batch_statistics(name, x, gamma, beta)
        if name in switched:
            on = (y.flatten(1) > 0).float()  # (n, N_l)
            kernel.add_(on @ on.T + (1 - on) @ (1 - on).T)
        return y

    run(network.arch, network.tensors(), images, norm)
    return float(torch.linalg.slogdet(kernel).logabsdet)
