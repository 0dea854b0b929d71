"""Inception v3 (arXiv 1512.00567), as torchvision has it, without the auxiliary classifier.

23,834,568 parameters; 5.71 GMACs at 299 px (torchvision). Large kernels are factorised: 5x5 into two 3x3, 7x7 into 1x7
and 7x1, and 3x3 into a 1x3 and a 3x1 side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nas.arch import IMAGE, Arch, Builder
from search_spaces.inception import HALVE, AvgPool, Branches, Conv, Fork, MaxPool, chain, module

STEM = (
    Conv(32, 3, 2, 0),
    Conv(32, 3, 1, 0),
    Conv(64, 3),
    MaxPool(2),
    Conv(80),
    Conv(192, 3, 1, 0),
    MaxPool(2),
)
SIDE_BY_SIDE = Fork(((Conv(384, (1, 3)),), (Conv(384, (3, 1)),)))


def inception_v3(*, size_px: int = 224, image_channels: int = 3, classes: int = 1000) -> Arch:
    """Inception v3.

    Args:
        size_px: Input size, at least 75.
        image_channels: Input channels.
        classes: Output length.
    """
    net = Builder(size_px=size_px, image_channels=image_channels)
    x = chain(net, "stem", IMAGE, *STEM)
    modules = (
        *(_fives(pooled) for pooled in (32, 64, 64)),
        _halve_fives(),
        *(_sevens(channels) for channels in (128, 160, 160, 192)),
        _halve_sevens(),
        *(_threes(),) * 2,
    )
    for i, branches in enumerate(modules):
        x = module(net, f"m{i}", x, branches)
    return net.classify(net.pool("pool", x), classes=classes)


def _fives(pooled: int) -> Branches:
    return (
        (Conv(64),),
        (Conv(48), Conv(64, 5)),
        (Conv(64), Conv(96, 3), Conv(96, 3)),
        (AvgPool(), Conv(pooled)),
    )


def _halve_fives() -> Branches:
    return (Conv(384, 3, 2, 0),), (Conv(64), Conv(96, 3), Conv(96, 3, 2, 0)), HALVE


def _sevens(mid: int) -> Branches:
    return (
        (Conv(192),),
        (Conv(mid), Conv(mid, (1, 7)), Conv(192, (7, 1))),
        (Conv(mid), Conv(mid, (7, 1)), Conv(mid, (1, 7)), Conv(mid, (7, 1)), Conv(192, (1, 7))),
        (AvgPool(), Conv(192)),
    )


def _halve_sevens() -> Branches:
    return (
        (Conv(192), Conv(320, 3, 2, 0)),
        (Conv(192), Conv(192, (1, 7)), Conv(192, (7, 1)), Conv(192, 3, 2, 0)),
        HALVE,
    )


def _threes() -> Branches:
    return (
        (Conv(320),),
        (Conv(384), SIDE_BY_SIDE),
        (Conv(448), Conv(384, 3), SIDE_BY_SIDE),
        (AvgPool(), Conv(192)),
    )


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType({"inception_v3": inception_v3})
