"""SqueezeNet 1.0 and 1.1 (arXiv 1602.07360): fire modules squeeze by a 1x1 convolution and expand by 1x1 and 3x3 ones.

Parameters and MACs are torchvision's (1,248,424 and 818,924,576; 1,235,496 and 349,151,936 at 224 px).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from nas.arch import CLASSES, IMAGE, Act, Arch, Builder
from nas.errors import InputError

FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))  # squeeze, each expand
# kernel and channels of the stem, padding-free, and the fires that a max pool precedes
_VERSIONS = MappingProxyType({"1.0": (7, 96, (0, 3, 7)), "1.1": (3, 64, (0, 2, 4))})


def squeezenet(*, version: str = "1.1", size_px: int = 224, image_channels: int = 3, classes: int = 1000) -> Arch:
    """One of the two networks.

    Args:
        version: `1.0` or `1.1` (the same accuracy for 2.3 times fewer MACs).
        size_px: Height and width of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.

    Raises:
        InputError: There is no such version, or the image is too small.
    """
    if version not in _VERSIONS:
        raise InputError(f"version = {version!r}: SqueezeNet has versions {', '.join(_VERSIONS)}")
    kernel, channels, pooled = _VERSIONS[version]
    net = Builder(size_px=size_px, image_channels=image_channels)
    stem = net.width("stem", channels)
    x = net.conv("stem", IMAGE, stem, kernel=kernel, stride=2, padding=0, norm=False, act=Act.RELU)
    for i, (squeeze, expand) in enumerate(FIRES):
        if i in pooled:
            x = net.max_pool(f"pool{pooled.index(i)}", x, kernel=3, stride=2, padding=0, ceil=True)
        x = _fire(net, f"fire{i}", x, squeeze=squeeze, expand=expand)
    x = net.conv("classifier", x, net.width(CLASSES, classes), norm=False, act=Act.RELU)
    net.pool("pool", x)
    return net.finish()


def _fire(net: Builder, name: str, source: str, *, squeeze: int, expand: int) -> str:
    x = net.conv(f"{name}.squeeze", source, net.width(f"{name}.squeeze", squeeze), norm=False, act=Act.RELU)
    branches = []
    for kernel in (1, 3):
        width = net.width(f"{name}.expand{kernel}", expand)
        branches.append(net.conv(width, x, width, kernel=kernel, norm=False, act=Act.RELU))
    return net.concat(f"{name}.cat", *branches)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {f"squeezenet_{version}": partial(squeezenet, version=version) for version in _VERSIONS}
)
