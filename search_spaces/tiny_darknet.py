"""Tiny Darknet (J. Redmon, pjreddie.com/darknet/tiny-darknet, 2016): 4.0 MB of weights, 980 million operations.

3x3 convolutions squeezed by 1x1 ones, all with batch norm and leaky ReLU, and pooled class maps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nas.arch import CLASSES, IMAGE, Act, Arch, Builder

# (kernel, channels) of the convolutions of each stage; a max pool lies between two stages
STAGES = (
    ((3, 16),),
    ((3, 32),),
    ((1, 16), (3, 128), (1, 16), (3, 128)),
    ((1, 32), (3, 256), (1, 32), (3, 256)),
    ((1, 64), (3, 512), (1, 64), (3, 512), (1, 128)),
)


def tiny_darknet(*, size_px: int = 224, image_channels: int = 3, classes: int = 1000) -> Arch:
    """Tiny Darknet.

    Args:
        size_px: Height and width of the image, pixels, at least 16.
        image_channels: Channels of the image.
        classes: Length of the output.
    """
    net = Builder(size_px=size_px, image_channels=image_channels)
    x = IMAGE
    for i, convs in enumerate(STAGES):
        if i:
            x = net.max_pool(f"s{i}.pool", x, kernel=2, stride=2, padding=0)
        for j, (kernel, channels) in enumerate(convs):
            name = f"s{i}.b{j}"
            x = net.conv(name, x, net.width(name, channels), kernel=kernel, act=Act.LEAKY_RELU)
    net.pool("pool", net.conv("classifier", x, net.width(CLASSES, classes), norm=False))
    return net.finish()


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType({"tiny_darknet": tiny_darknet})
