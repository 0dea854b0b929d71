"""DenseNet (arXiv 1608.06993): every layer reads the channels of all layers before it in its block.

Norm and ReLU come before the convolutions. Those behind a concat stand alone; those between the two convolutions of a
layer are the first one's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder

STEM_CHANNELS = 64
BOTTLENECK = 4  # channels of the 1x1 convolution over the growth


def densenet(
    depths: tuple[int, ...], growth: int, *, size_px: int = 224, image_channels: int = 3, classes: int = 1000
) -> Arch:
    """A DenseNet with bottlenecks and half the channels after each block (DenseNet-BC).

    Args:
        depths: Layers of each block.
        growth: Channels that each layer adds.
        size_px: Input size.
        image_channels: Input channels.
        classes: Output length.
    """
    net = Builder(size_px=size_px, image_channels=image_channels)
    x = net.conv("stem", IMAGE, net.width("stem", STEM_CHANNELS), kernel=7, stride=2, act=Act.RELU)
    x, channels = net.max_pool("stem.pool", x, kernel=3, stride=2), STEM_CHANNELS
    for i, depth in enumerate(depths):
        if i:
            channels //= 2
            x = _transition(net, f"t{i}", x, channels)
        for j in range(depth):
            x = _layer(net, f"d{i}.l{j}", x, growth)
        channels += depth * growth
    return net.classify(net.pool("pool", net.norm("norm", x, act=Act.RELU)), classes=classes)


def _layer(net: Builder, name: str, source: str, growth: int) -> str:
    ready = net.norm(f"{name}.norm", source, act=Act.RELU)
    x = net.conv(f"{name}.reduce", ready, net.width(f"{name}.reduce", BOTTLENECK * growth), act=Act.RELU)
    x = net.conv(f"{name}.conv", x, net.width(f"{name}.conv", growth), kernel=3, norm=False, bias=False)
    return net.concat(f"{name}.cat", source, x)


def _transition(net: Builder, name: str, source: str, channels: int) -> str:
    ready = net.norm(f"{name}.norm", source, act=Act.RELU)
    x = net.conv(f"{name}.conv", ready, net.width(f"{name}.conv", channels), norm=False, bias=False)
    return net.avg_pool(f"{name}.pool", x, kernel=2, stride=2, padding=0)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType({"densenet121": partial(densenet, (6, 12, 24, 16), 32)})
