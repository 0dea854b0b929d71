"""How many times smaller the last feature map of a network is, and the checks of what a user asks of a member.

A hand-designed network halves its feature maps five times (`total_stride` 32). For small images the earliest strides
become 1, the stem's first: what CIFAR versions of these networks do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from nas.errors import InputError


def early_ones(strides: Sequence[int], *, total_stride: int, size_px: int) -> tuple[int, ...]:
    """Strides of a network with the earliest ones set to 1, so that their product is `total_stride`.

    Args:
        strides: Those of the design, in the order of its layers.
        total_stride: Height of the image over the height of the last feature map, at most that of the design.
        size_px: Height of the image, pixels.

    Raises:
        InputError: No number of early ones gives this product, or the image is too small for it.

    >>> early_ones((2, 1, 2, 2, 2, 1, 2), total_stride=8, size_px=32)
    (1, 1, 1, 2, 2, 1, 2)
    """
    totals = {math.prod(strides[i:]): i for i in reversed(range(len(strides) + 1))}
    if total_stride not in totals:
        raise InputError(f"total_stride = {total_stride}: this network has {', '.join(map(str, sorted(totals)))}")
    if 2 * size_px <= total_stride:
        raise InputError(
            f"size_px = {size_px} is too small for total_stride = {total_stride}: its last stride would meet a map of "
            f"1 px; use total_stride={max(total for total in totals if total < 2 * size_px)} or larger images"
            if size_px > 0
            else f"size_px = {size_px} must be at least 1 pixel"
        )
    first = totals[total_stride]
    return (1,) * first + tuple(strides[first:])


def scaled(channels: float, width: float, *, divisor: int = 8) -> int:
    """Channels times a width multiplier, as a multiple of `divisor` that never loses more than 10 %.

    Raises:
        InputError: The multiplier is not a number, or makes no channel of so many.

    >>> scaled(32, 1.4), scaled(24, 0.5), scaled(16, 1.3, divisor=4)
    (48, 16, 20)
    """
    if not 0.5 <= channels * width < 2**31:
        least = 0.5 / channels
        raise InputError(f"width = {width}: {channels:g} channels times it make no channel; use at least {least:.2g}")
    return make_divisible(channels * width, divisor)


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Round channels to a multiple of `divisor`, never losing more than 10 % (MobileNetV2's rule).

    >>> make_divisible(18), make_divisible(8 * 0.75), make_divisible(3.0)
    (24, 8, 8)
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
