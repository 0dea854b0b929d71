"""ShuffleNet V1: pointwise group convolutions, and a channel shuffle so that groups exchange (arXiv 1707.01083).

Counts are those of the authors' code (megvii-model/ShuffleNet-Series) for 3 and 8 groups; for 1, 2 and 4 groups the
complexities of the paper's table 2 (143, 140 and 133 MFLOPs at width 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from nas.arch import CLASSES, IMAGE, Act, Arch, Builder
from nas.errors import InputError
from search_spaces.strides import early_ones, scaled

CHANNELS = MappingProxyType({1: 144, 2: 200, 3: 240, 4: 272, 8: 384})  # groups -> channels of the first stage
DEPTHS = (4, 8, 4)  # units of each stage; a stage has twice the channels of the one before
STEM = 24
WIDTHS = (0.5, 1.0, 1.5, 2.0)


def shufflenet_v1(
    *,
    width: float = 1.0,
    groups: int = 3,
    size_px: int = 224,
    image_channels: int = 3,
    classes: int = 1000,
    total_stride: int = 32,
) -> Arch:
    """ShuffleNet V1.

    Args:
        width: Width multiplier of the stages; the stem has 12 channels below 1, 24 below 2, then 48.
        groups: Groups of the pointwise convolutions: 1, 2, 3, 4 or 8. Channels are rounded to what they can divide.
        size_px: Height of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: No such groups, the width leaves no channel, the total stride does not exist, or the image is too
            small for it.
    """
    if groups not in CHANNELS:
        raise InputError(f"groups = {groups}: ShuffleNet V1 has {', '.join(map(str, CHANNELS))} groups")
    strides = early_ones((2, 2, *((2,) * len(DEPTHS))), total_stride=total_stride, size_px=size_px)
    net = Builder(size_px=size_px, image_channels=image_channels)
    in_channels = _multiple(STEM * (4 if width >= 2 else 2 if width >= 1 else 1) // 2, groups)
    x = net.conv("stem", IMAGE, net.width("stem", in_channels), kernel=3, stride=strides[0], act=Act.RELU)
    x = net.max_pool("stem.pool", x, kernel=3, stride=strides[1])
    for i, depth in enumerate(DEPTHS):
        channels = 2**i * scaled(CHANNELS[groups], width, divisor=math.lcm(4, groups))
        for j in range(depth):
            name, mid = f"s{i}.b{j}", _multiple(channels // 4, groups)
            inside = _inside(net, name, x, mid, (groups if i or j else 1, groups), stride=1 if j else strides[i + 2])
            if j == 0:
                made = net.width(f"s{i}.made", channels - in_channels)
                y = net.conv(f"{name}.project", inside, made, groups=groups, act=Act.RELU)
                x = net.concat(f"{name}.cat", net.avg_pool(f"{name}.pool", x, kernel=3, stride=strides[i + 2]), y)
            else:
                y = net.conv(f"{name}.project", inside, net.width(f"s{i}", channels), groups=groups)
                x = net.residual(f"{name}.sum", x, y, act=Act.RELU)
        in_channels = channels
    net.linear("classifier", net.pool("pool", x), net.width(CLASSES, classes), bias=False)
    return net.finish()


def _inside(net: Builder, name: str, source: str, mid: int, groups: tuple[int, int], *, stride: int) -> str:
    """A unit up to its second pointwise convolution: groups of the first one, and of the shuffle."""
    x = net.conv(f"{name}.expand", source, net.width(f"{name}.mid", mid), groups=groups[0], act=Act.RELU)
    if groups[1] > 1:
        x = net.shuffle(f"{name}.shuffle", x, groups=groups[1])
    return net.depthwise(f"{name}.depthwise", x, kernel=3, stride=stride)


def _multiple(channels: int, groups: int) -> int:
    return -(-channels // groups) * groups


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {
        f"shufflenet_v1_{width}x_g{groups}": partial(shufflenet_v1, width=width, groups=groups)
        for groups in CHANNELS
        for width in WIDTHS
    }
)
