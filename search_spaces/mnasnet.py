"""MnasNet: what platform-aware search found for a phone (arXiv 1807.11626).

A1 has squeeze-excite, B1 has none, Small is for tight budgets. The space is `mobilenet_v3.MobileNetV3Space` with ReLU
and this family's squeeze-excite: `configs/space/mnasnet_28px.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from nas.arch import Act, Arch
from search_spaces.blocks import SqueezeStyle
from search_spaces.inverted import Table, rows, write_table

_SQUEEZE = SqueezeStyle(of_input=True, gate=Act.SIGMOID)
A1 = Table(
    stem=32,
    stages=rows(
        (3, 1, 16, 1, 1),
        (3, 6, 24, 2, 2),
        (5, 3, 40, 3, 2, True),
        (3, 6, 80, 4, 2),
        (3, 6, 112, 2, 1, True),
        (5, 6, 160, 3, 2, True),
        (3, 6, 320, 1, 1),
    ),
    head=1280,
    act=Act.RELU,
    squeeze=_SQUEEZE,
)
B1 = Table(
    stem=32,
    stages=rows(
        (3, 1, 16, 1, 1),
        (3, 3, 24, 3, 2),
        (5, 3, 40, 3, 2),
        (5, 6, 80, 3, 2),
        (3, 6, 96, 2, 1),
        (5, 6, 192, 4, 2),
        (3, 6, 320, 1, 1),
    ),
    head=1280,
    act=Act.RELU,
    squeeze=_SQUEEZE,
)
SMALL = Table(
    stem=8,
    stages=rows(
        (3, 1, 8, 1, 1),
        (3, 3, 16, 1, 2),
        (3, 6, 16, 2, 2),
        (5, 6, 32, 4, 2, True),
        (3, 6, 32, 3, 1, True),
        (5, 6, 88, 3, 2, True),
        (3, 6, 144, 1, 1),
    ),
    head=1280,
    act=Act.RELU,
    squeeze=_SQUEEZE,
)


def mnasnet(
    table: Table = B1,
    /,
    *,
    width: float = 1.0,
    size_px: int = 224,
    image_channels: int = 3,
    classes: int = 1000,
    total_stride: int = 32,
) -> Arch:
    """A MnasNet.

    Args:
        table: `A1`, `B1` or `SMALL`.
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
    {
        "mnasnet_a1": partial(mnasnet, A1),
        "mnasnet_b1_1.0": partial(mnasnet, B1),
        "mnasnet_0.5": partial(mnasnet, B1, width=0.5),
        "mnasnet_small": partial(mnasnet, SMALL),
    }
)
