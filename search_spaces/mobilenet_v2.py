"""MobileNet V2: inverted residuals with linear bottlenecks (arXiv 1801.04381, table 2).

The space is `mobilenet_v3.MobileNetV3Space` with ReLU6 and without squeeze-excite:
`configs/space/mobilenet_v2_28px.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from nas.arch import Act, Arch
from search_spaces.blocks import SqueezeStyle
from search_spaces.inverted import Table, rows, write_table
from search_spaces.strides import scaled

TABLE = Table(
    stem=32,
    stages=rows(
        (3, 1, 16, 1, 1),
        (3, 6, 24, 2, 2),
        (3, 6, 32, 3, 2),
        (3, 6, 64, 4, 2),
        (3, 6, 96, 3, 1),
        (3, 6, 160, 3, 2),
        (3, 6, 320, 1, 1),
    ),
    head=1280,
    act=Act.RELU6,
    squeeze=SqueezeStyle(),
)


def mobilenet_v2(
    *, width: float = 1.0, size_px: int = 224, image_channels: int = 3, classes: int = 1000, total_stride: int = 32
) -> Arch:
    """MobileNet V2.

    Args:
        width: Width multiplier; channels are rounded to multiples of 8, and the last convolution never has fewer
            than 1280.
        size_px: Height of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: The width leaves no channel, the total stride does not exist, or the image is too small for it.
    """
    table = replace(TABLE.scaled(width=width), head=scaled(TABLE.head, max(1.0, width)))
    return write_table(
        table, size_px=size_px, image_channels=image_channels, classes=classes, total_stride=total_stride
    )


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {f"mobilenet_v2_{width}": partial(mobilenet_v2, width=width) for width in (0.35, 0.5, 0.75, 1.0, 1.4)}
)
