"""GhostNet: half the channels by pointwise convolutions, the other half as their cheap "ghosts" (arXiv 1911.11907)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder
from search_spaces.blocks import GhostBottleneck
from search_spaces.strides import early_ones, make_divisible, scaled

GRAIN = 4
SE_RATIO = 0.25
STEM, HEAD, FEATURES = 16, 960, 1280
BLOCKS = (  # kernel, channels inside, output channels, SE, stride
    (3, 16, 16, False, 1),
    (3, 48, 24, False, 2),
    (3, 72, 24, False, 1),
    (5, 72, 40, True, 2),
    (5, 120, 40, True, 1),
    (3, 240, 80, False, 2),
    (3, 200, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 480, 112, True, 1),
    (3, 672, 112, True, 1),
    (5, 672, 160, True, 2),
    (5, 960, 160, False, 1),
    (5, 960, 160, True, 1),
    (5, 960, 160, False, 1),
    (5, 960, 160, True, 1),
)


def ghostnet(
    *, width: float = 1.0, size_px: int = 224, image_channels: int = 3, classes: int = 1000, total_stride: int = 32
) -> Arch:
    """GhostNet.

    Args:
        width: Width multiplier; channels are rounded to multiples of 4.
        size_px: Height of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: The width leaves no channel, the total stride does not exist, or the image is too small for it.
    """
    designed = (2, *(row[4] for row in BLOCKS))
    strides = early_ones(designed, total_stride=total_stride, size_px=size_px)
    net = Builder(size_px=size_px, image_channels=image_channels)
    x = net.conv(
        "stem", IMAGE, net.width("stem", scaled(STEM, width, divisor=GRAIN)), kernel=3, stride=strides[0], act=Act.RELU
    )
    in_width = "stem"
    for i, (kernel, mid, out, se, stride) in enumerate(BLOCKS):
        channels, inside = (scaled(count, width, divisor=GRAIN) for count in (out, mid))
        shared = stride == 1 and channels == net.channels(in_width)
        out_width = in_width if shared else net.width(f"s{i}", channels)
        block = GhostBottleneck(
            kernel=kernel,
            mid=inside,
            squeeze=make_divisible(inside * SE_RATIO, GRAIN) if se else 0,
            stride=strides[i + 1],
        )
        x, in_width = block.write(net, f"b{i}", x, in_width, out_width), out_width
    x = net.conv("head", x, net.width("head", scaled(HEAD, width, divisor=GRAIN)), act=Act.RELU)
    x = net.linear("features", net.pool("pool", x), net.width("features", FEATURES), act=Act.RELU)
    return net.classify(x, classes=classes)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {f"ghostnet_{width}": partial(ghostnet, width=width) for width in (0.5, 1.0, 1.3)}
)
