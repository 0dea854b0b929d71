"""VGG-16 (arXiv 1409.1556, configuration D): 3x3 convolutions, five max pools, three linear layers.

138,357,544 parameters at 224 px; at another size the first linear layer has as many inputs as the last pool has
outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions; each ends in a max pool
HIDDEN = 4096


def vgg16(*, size_px: int = 224, image_channels: int = 3, classes: int = 1000) -> Arch:
    """VGG-16 without batch norm.

    Args:
        size_px: Height and width of the image, pixels, at least 32.
        image_channels: Channels of the image.
        classes: Length of the output.
    """
    net = Builder(size_px=size_px, image_channels=image_channels)
    x = IMAGE
    for i, (channels, depth) in enumerate(STAGES):
        for j in range(depth):
            name = f"s{i}.b{j}"
            x = net.conv(name, x, net.width(name, channels), kernel=3, norm=False, act=Act.RELU)
        x = net.max_pool(f"s{i}.pool", x, kernel=2, stride=2, padding=0)
    for i in range(2):
        x = net.linear(f"hidden{i}", x, net.width(f"hidden{i}", HIDDEN), act=Act.RELU)
    return net.classify(x, classes=classes)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType({"vgg16": vgg16})
