"""Networks found by differentiable search: FBNet-C (arXiv 1812.03443) and Single-Path NAS (arXiv 1904.02877).

Inverted residuals without squeeze-excite; what was searched are kernel and expansion of each block. Tables and counts
as in timm (`fbnetc_100`, `spnasnet_100`). Their space is `mobilenet_v3.MobileNetV3Space`, as for MobileNetV2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from nas.arch import Act, Arch
from search_spaces.blocks import SqueezeStyle
from search_spaces.inverted import Table, rows, write_table

FBNET_C = Table(
    stem=16,
    stages=rows(
        (3, 1, 16, 1, 1),
        (3, 6, 24, 1, 2),
        (3, 1, 24, 2, 1),
        (5, 6, 32, 1, 2),
        (5, 3, 32, 1, 1),
        (5, 6, 32, 1, 1),
        (3, 6, 32, 1, 1),
        (5, 6, 64, 1, 2),
        (5, 3, 64, 1, 1),
        (5, 6, 64, 2, 1),
        (5, 6, 112, 3, 1),
        (5, 3, 112, 1, 1),
        (5, 6, 184, 4, 2),
        (3, 6, 352, 1, 1),
    ),
    head=1984,
    act=Act.RELU,
    squeeze=SqueezeStyle(),
    always_expands=True,
)
SINGLE_PATH = Table(
    stem=32,
    stages=rows(
        (3, 1, 16, 1, 1),
        (3, 3, 24, 3, 2),
        (5, 6, 40, 1, 2),
        (3, 3, 40, 3, 1),
        (5, 6, 80, 1, 2),
        (3, 3, 80, 3, 1),
        (5, 6, 96, 1, 1),
        (5, 3, 96, 3, 1),
        (5, 6, 192, 4, 2),
        (3, 6, 320, 1, 1),
    ),
    head=1280,
    act=Act.RELU,
    squeeze=SqueezeStyle(),
)


def searched(
    table: Table,
    /,
    *,
    width: float = 1.0,
    size_px: int = 224,
    image_channels: int = 3,
    classes: int = 1000,
    total_stride: int = 32,
) -> Arch:
    """A network of this file.

    Args:
        table: `FBNET_C` or `SINGLE_PATH`.
        width: Width multiplier of all but the last convolution; channels are rounded to multiples of 8.
        size_px: Height of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: The width leaves no channel, the total stride does not exist, or the image is too small for it.
    """
    return write_table(
        table.scaled(width=width),
        size_px=size_px,
        image_channels=image_channels,
        classes=classes,
        total_stride=total_stride,
    )


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {"fbnet_c": partial(searched, FBNET_C), "spnasnet": partial(searched, SINGLE_PATH)}
)
