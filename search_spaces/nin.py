"""Network in Network (arXiv 1312.4400): each convolution is followed by two 1x1 ones, and classes are pooled maps.

The ImageNet network of the authors' Caffe model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nas.arch import CLASSES, IMAGE, Act, Arch, Builder

STAGES = ((11, 4, 0, 96), (5, 1, 2, 256), (3, 1, 1, 384), (3, 1, 1, 1024))  # kernel, stride, padding, channels


def network_in_network(*, size_px: int = 224, image_channels: int = 3, classes: int = 1000) -> Arch:
    """Network in Network.

    Args:
        size_px: Height and width of the image, pixels, at least 67.
        image_channels: Channels of the image.
        classes: Length of the output.
    """
    net = Builder(size_px=size_px, image_channels=image_channels)
    net.width(CLASSES, classes)
    x = IMAGE
    for i, (kernel, stride, padding, channels) in enumerate(STAGES):
        if i:
            x = net.max_pool(f"s{i}.pool", x, kernel=3, stride=2, padding=0, ceil=True)
        width = net.width(f"s{i}.conv", channels)
        x = net.conv(f"s{i}.conv", x, width, kernel=kernel, stride=stride, padding=padding, norm=False, act=Act.RELU)
        for j in range(2):
            last = i == len(STAGES) - 1 and j == 1
            width = CLASSES if last else net.width(f"s{i}.mlp{j}", channels)
            x = net.conv(f"s{i}.mlp{j}", x, width, norm=False, act=Act.RELU)
    net.pool("pool", x)
    return net.finish()


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType({"nin": network_in_network})
