"""EfficientNet B0-B7 by compound scaling (arXiv 1905.11946), and EfficientNet-Lite0.

The paper grows depth, width and resolution together, by alpha^phi, beta^phi and gamma^phi. Its text gives alpha = 1.2,
beta = 1.1, gamma = 1.15 (alpha * beta^2 * gamma^2 = 1.92, about 2). What was released, rounded to one decimal, are
depths 1.0, 1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1, widths 1.0, 1.0, 1.1, 1.2, 1.4, 1.6, 1.8, 2.0 and 224, 240, 260, 300,
380, 456, 528, 600 pixels. Solving gamma^phi for these resolutions gives the phi of each member (`PHIS`), and beta^phi
then is the released width of every one. alpha^phi is not: 1.2 would give B7 a depth of 3.6. The released depths are
those of alpha = 1.172, the one value to three decimals that gives them all (alpha * beta^2 * gamma^2 = 1.88).

The space is `mobilenet_v3.MobileNetV3Space` with swish and this family's squeeze-excite:
`configs/space/efficientnet_28px.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

from nas.arch import Act, Arch
from nas.errors import InputError
from search_spaces.blocks import SqueezeStyle
from search_spaces.inverted import Table, rows, write_table
from search_spaces.strides import scaled

ALPHA, BETA, GAMMA = 1.172, 1.1, 1.15
PHIS = (0.0, 0.5, 1.07, 2.09, 3.78, 5.09, 6.13, 7.05)  # of B0..B7
BASE_PX = 224

B0 = Table(
    stem=32,
    stages=rows(
        (3, 1, 16, 1, 1, True),
        (3, 6, 24, 2, 2, True),
        (5, 6, 40, 2, 2, True),
        (3, 6, 80, 3, 2, True),
        (5, 6, 112, 3, 1, True),
        (5, 6, 192, 4, 2, True),
        (3, 6, 320, 1, 1, True),
    ),
    head=1280,
    act=Act.SWISH,
    squeeze=SqueezeStyle(of_input=True, act=Act.SWISH, gate=Act.SIGMOID),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """How much larger than B0: factors of depth and width, and the resolution it was designed for, pixels."""

    depth: float
    width: float
    size_px: int


def compound(phi: float) -> Scale:
    """Scale depth, width and resolution together; the released networks' factors for `PHIS`.

    Raises:
        InputError: `phi` is far outside of what was released.

    >>> compound(PHIS[4])
    Scale(depth=1.8, width=1.4, size_px=380)
    """
    if not -8 <= phi <= 12:
        raise InputError(f"phi = {phi} must lie in -8..12; B0 is 0, B7 is {PHIS[7]}")
    return Scale(depth=round(ALPHA**phi, 1), width=round(BETA**phi, 1), size_px=round(BASE_PX * GAMMA**phi))


def efficientnet(
    *,
    phi: float = 0.0,
    size_px: int = BASE_PX,
    image_channels: int = 3,
    classes: int = 1000,
    total_stride: int = 32,
) -> Arch:
    """An EfficientNet.

    Args:
        phi: Compound coefficient: 0 is B0, `PHIS[i]` is Bi.
        size_px: Height of the image, pixels; `compound(phi).size_px` is the one it was designed for.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: `phi` is out of range, the total stride does not exist, or the image is too small for it.
    """
    scale = compound(phi)
    table = B0.scaled(width=scale.width, depth=scale.depth)
    return write_table(
        replace(table, head=scaled(B0.head, scale.width)),
        size_px=size_px,
        image_channels=image_channels,
        classes=classes,
        total_stride=total_stride,
    )


def efficientnet_lite0(
    *, size_px: int = BASE_PX, image_channels: int = 3, classes: int = 1000, total_stride: int = 32
) -> Arch:
    """B0 without squeeze-excite and with ReLU6, for integer arithmetic (tensorflow/tpu, efficientnet/lite).

    Args and errors as for `efficientnet`.
    """
    stages = tuple(replace(stage, se=False) for stage in B0.stages)
    return write_table(
        replace(B0, stages=stages, act=Act.RELU6),
        size_px=size_px,
        image_channels=image_channels,
        classes=classes,
        total_stride=total_stride,
    )


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {f"efficientnet_b{i}": partial(efficientnet, phi=phi) for i, phi in enumerate(PHIS)}
    | {"efficientnet_lite0": efficientnet_lite0}
)
