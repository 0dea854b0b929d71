"""MobileNet V1: depthwise separable convolutions, one after the other (MobileNets, arXiv 1704.04861, table 1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder
from nas.errors import InputError
from search_spaces.blocks import DepthwiseSeparable
from search_spaces.strides import early_ones, scaled

STEM = 32
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def mobilenet_v1(
    *,
    width: float = 1.0,
    resolution: float = 1.0,
    size_px: int = 224,
    image_channels: int = 3,
    classes: int = 1000,
    total_stride: int = 32,
) -> Arch:
    """MobileNet V1 with its two multipliers.

    Args:
        width: Width multiplier (alpha); channels are rounded to multiples of 8.
        resolution: Resolution multiplier (rho) of `size_px`.
        size_px: Height of the image before `resolution`, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: A multiplier leaves no channel or pixel, or the total stride does not exist.
    """
    if not 0 < resolution <= 16:
        raise InputError(f"resolution = {resolution} must be above 0 and at most 16")
    shown_px = round(size_px * resolution)
    designed = (2, *(stride for _, stride in BLOCKS))
    strides = early_ones(designed, total_stride=total_stride, size_px=shown_px)
    net = Builder(size_px=shown_px, image_channels=image_channels)
    in_width = net.width("stem", scaled(STEM, width))
    x = net.conv("stem", IMAGE, in_width, kernel=3, stride=strides[0], act=Act.RELU6)
    for i, (channels, _) in enumerate(BLOCKS):
        out_width = net.width(f"b{i}", scaled(channels, width))
        block = DepthwiseSeparable(kernel=3, stride=strides[i + 1], act=Act.RELU6)
        x, in_width = block.write(net, f"b{i}", x, in_width, out_width), out_width
    return net.classify(net.pool("pool", x), classes=classes)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {f"mobilenet_v1_{width}": partial(mobilenet_v1, width=width) for width in (0.25, 0.5, 0.75, 1.0)}
)
