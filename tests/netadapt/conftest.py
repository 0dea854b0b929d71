from __future__ import annotations

import pytest
import torch

from nas.arch import IMAGE, Act, Arch, Builder, Kind, cost
from nas.net import Network
from search_spaces.blocks import InvertedResidual


def residual_arch() -> Arch:
    """A stem, three inverted residuals of one width with squeeze-excite, a head, features and a classifier."""
    net = Builder(size_px=8, image_channels=1)
    x = net.conv("stem", IMAGE, net.width("stem", 16), kernel=3, stride=2, act=Act.HSWISH)
    in_width, out_width = "stem", net.width("s0", 24)
    for i, squeeze in enumerate((16, 0, 24)):
        block = InvertedResidual(kernel=3, mid=48 + 16 * i, squeeze=squeeze, act=Act.RELU, stride=1)
        x, in_width = block.write(net, f"s0.b{i}", x, in_width, out_width), out_width
    x = net.pool("pool", net.conv("head", x, net.width("head", 64), act=Act.HSWISH))
    return net.classify(net.linear("features", x, net.width("features", 32), act=Act.HSWISH), classes=5)


def randomise(network: Network, seed: int = 0) -> Network:
    """Random values everywhere, statistics included; variances positive."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in network.tensors().items():
            values = torch.randn(tensor.shape, generator=generator)
            tensor.copy_(values.abs() + 0.5 if name.endswith((".var", ".gamma")) else 0.15 * values)
    return network.eval()


def toy_latency(arch: Arch) -> float:
    """Linear in MACs, with a cost a layer and one for squeeze-excite, ms."""
    return cost(arch).macs / 1e5 + 0.02 * len(arch.layers) + 0.1 * sum(op.kind is Kind.SE for op in arch.ops())


@pytest.fixture
def arch() -> Arch:
    return residual_arch()


@pytest.fixture
def network(arch) -> Network:
    return randomise(Network(arch))


@pytest.fixture
def latency():
    return toy_latency
