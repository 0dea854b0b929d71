"""AlexNet in its one-column form (arXiv 1404.5997), as torchvision has it: 61,100,840 parameters at 224 px.

Local response norm and dropout are left out: the one-column form has no such norm, and dropout is no operation. At
another size the first linear layer has as many inputs as the last pool has outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder

CONVS = (  # kernel, stride, padding, channels, whether a max pool follows
    (11, 4, 2, 64, True),
    (5, 1, 2, 192, True),
    (3, 1, 1, 384, False),
    (3, 1, 1, 256, False),
    (3, 1, 1, 256, True),
)
HIDDEN = 4096


def alexnet(*, size_px: int = 224, image_channels: int = 3, classes: int = 1000) -> Arch:
    """AlexNet.

    Args:
        size_px: Height and width of the image, pixels, at least 63.
        image_channels: Channels of the image.
        classes: Length of the output.
    """
    net = Builder(size_px=size_px, image_channels=image_channels)
    x = IMAGE
    for i, (kernel, stride, padding, channels, pooled) in enumerate(CONVS):
        width = net.width(f"conv{i}", channels)
        x = net.conv(f"conv{i}", x, width, kernel=kernel, stride=stride, padding=padding, norm=False, act=Act.RELU)
        if pooled:
            x = net.max_pool(f"pool{i}", x, kernel=3, stride=2, padding=0)
    for i in range(2):
        x = net.linear(f"hidden{i}", x, net.width(f"hidden{i}", HIDDEN), act=Act.RELU)
    return net.classify(x, classes=classes)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType({"alexnet": alexnet})
