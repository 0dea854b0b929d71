"""LeNet-5 (LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, 1998).

In the form that is common today: the second convolution reads all maps (2,416 instead of 1,516 parameters), pools have
no weights and the output is linear: 61,706 parameters and 416,520 MACs at 28 px (Zhang et al., Dive into deep
learning, section 7.6). The default size, channels and classes are those of its digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder


def lenet5(*, size_px: int = 28, image_channels: int = 1, classes: int = 10) -> Arch:
    """LeNet-5.

    Args:
        size_px: Height and width of the image, pixels, at least 12.
        image_channels: Channels of the image.
        classes: Length of the output.
    """
    net = Builder(size_px=size_px, image_channels=image_channels)
    x = IMAGE
    for i, (channels, padding) in enumerate(((6, 2), (16, 0))):
        width = net.width(f"conv{i}", channels)
        x = net.conv(f"conv{i}", x, width, kernel=5, padding=padding, norm=False, act=Act.TANH)
        x = net.avg_pool(f"pool{i}", x, kernel=2, stride=2, padding=0)
    for i, features in enumerate((120, 84)):
        x = net.linear(f"hidden{i}", x, net.width(f"hidden{i}", features), act=Act.TANH)
    return net.classify(x, classes=classes)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType({"lenet5": lenet5})
