"""Inception v4 (arXiv 1602.07261): 42,679,816 parameters, 12.28 GMACs at 299 px (timm).

Its average pools leave the padding out of the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nas.arch import IMAGE, Arch, Builder
from search_spaces.inception import HALVE, AvgPool, Branches, Conv, Fork, chain, module

STEM = (Conv(32, 3, 2, 0), Conv(32, 3, 1, 0), Conv(64, 3))
POOL = AvgPool(counts_padding=False)
SIDE_BY_SIDE = Fork(((Conv(256, (1, 3)),), (Conv(256, (3, 1)),)))

ENTRY: tuple[Branches, ...] = (
    (HALVE, (Conv(96, 3, 2, 0),)),
    (
        (Conv(64), Conv(96, 3, 1, 0)),
        (Conv(64), Conv(64, (1, 7)), Conv(64, (7, 1)), Conv(96, 3, 1, 0)),
    ),
    ((Conv(192, 3, 2, 0),), HALVE),
)
A: Branches = (
    (Conv(96),),
    (Conv(64), Conv(96, 3)),
    (Conv(64), Conv(96, 3), Conv(96, 3)),
    (POOL, Conv(96)),
)
HALVE_A: Branches = ((Conv(384, 3, 2, 0),), (Conv(192), Conv(224, 3), Conv(256, 3, 2, 0)), HALVE)
B: Branches = (
    (Conv(384),),
    (Conv(192), Conv(224, (1, 7)), Conv(256, (7, 1))),
    (Conv(192), Conv(192, (7, 1)), Conv(224, (1, 7)), Conv(224, (7, 1)), Conv(256, (1, 7))),
    (POOL, Conv(128)),
)
HALVE_B: Branches = (
    (Conv(192), Conv(192, 3, 2, 0)),
    (Conv(256), Conv(256, (1, 7)), Conv(320, (7, 1)), Conv(320, 3, 2, 0)),
    HALVE,
)
C: Branches = (
    (Conv(256),),
    (Conv(384), SIDE_BY_SIDE),
    (Conv(384), Conv(448, (3, 1)), Conv(512, (1, 3)), SIDE_BY_SIDE),
    (POOL, Conv(256)),
)
MODULES = (*ENTRY, *(A,) * 4, HALVE_A, *(B,) * 7, HALVE_B, *(C,) * 3)


def inception_v4(*, size_px: int = 224, image_channels: int = 3, classes: int = 1000) -> Arch:
    """Inception v4.

    Args:
        size_px: Input size, at least 75.
        image_channels: Input channels.
        classes: Output length.
    """
    net = Builder(size_px=size_px, image_channels=image_channels)
    x = chain(net, "stem", IMAGE, *STEM)
    for i, branches in enumerate(MODULES):
        x = module(net, f"m{i}", x, branches)
    return net.classify(net.pool("pool", x), classes=classes)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType({"inception_v4": inception_v4})
