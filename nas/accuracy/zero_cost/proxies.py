"""The zero-cost scores by name, and the fresh network that they look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from nas.accuracy.zero_cost.grad_norm import grad_norm
from nas.accuracy.zero_cost.naswot import naswot
from nas.accuracy.zero_cost.size import macs, params
from nas.accuracy.zero_cost.synflow import synflow
from nas.accuracy.zero_cost.zico import zico
from nas.arch import Arch
from nas.net import Network

Proxy = Callable[[Network, Tensor, Tensor], float]  # network, images (n, c, h, w), labels (n,) -> higher is better

PROXIES: Mapping[str, Proxy] = MappingProxyType(
    {
        "synflow": lambda network, _images, _labels: synflow(network),
        "naswot": lambda network, images, _labels: naswot(network, images),
        "grad_norm": grad_norm,
        "zico": zico,
        "macs": lambda network, _images, _labels: macs(network),
        "params": lambda network, _images, _labels: params(network),
    }
)


def fresh(arch: Arch, *, seed: int) -> Network:
    """A network with first weights as these scores were published for: the residual branches open.

    Our training begins with the last gamma of a branch at zero, which would hide all branches from the gradients.
    """
    network = Network(arch, seed=seed)
    with torch.no_grad():
        for name, tensor in network.tensors().items():
            if name.endswith(".gamma"):
                tensor.fill_(1.0)
    return network
