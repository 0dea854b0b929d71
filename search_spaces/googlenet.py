"""GoogLeNet, Inception v1 (arXiv 1409.4842), as torchvision has it.

With batch norm, 3x3 where the paper has 5x5, and without the auxiliary classifiers, which only training uses:
6,624,904 parameters, 1.50 GMACs at 224 px.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder
from search_spaces.inception import Branches, Conv, MaxPool, module

Row = tuple[int, int, int, int, int, int]  # 1x1; 1x1 and 3x3; 1x1 and second 3x3; 1x1 behind the pool
STAGES: tuple[tuple[int, tuple[Row, ...]], ...] = (  # kernel of the pool of stride 2 before the stage; its modules
    (3, ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64))),
    (
        3,
        (
            (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64),
            (128, 128, 256, 24, 64, 64),
            (112, 144, 288, 32, 64, 64),
            (256, 160, 320, 32, 128, 128),
        ),
    ),
    (2, ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128))),
)


def googlenet(*, size_px: int = 224, image_channels: int = 3, classes: int = 1000) -> Arch:
    """GoogLeNet.

    Args:
        size_px: Input size.
        image_channels: Input channels.
        classes: Output length.
    """
    net = Builder(size_px=size_px, image_channels=image_channels)
    x = net.conv("stem0", IMAGE, net.width("stem0", 64), kernel=7, stride=2, act=Act.RELU)
    x = net.max_pool("stem.pool", x, kernel=3, stride=2, padding=0, ceil=True)
    x = net.conv("stem1", x, net.width("stem1", 64), act=Act.RELU)
    x = net.conv("stem2", x, net.width("stem2", 192), kernel=3, act=Act.RELU)
    for i, (kernel, rows) in enumerate(STAGES, start=3):
        x = net.max_pool(f"pool{i}", x, kernel=kernel, stride=2, padding=0, ceil=True)
        for letter, row in zip("abcde", rows, strict=False):
            x = module(net, f"m{i}{letter}", x, _branches(row))
    return net.classify(net.pool("pool", x), classes=classes)


def _branches(row: Row) -> Branches:
    one, three_in, three, last_in, last, pooled = row
    return (
        (Conv(one),),
        (Conv(three_in), Conv(three, 3)),
        (Conv(last_in), Conv(last, 3)),
        (MaxPool(1), Conv(pooled)),
    )


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType({"googlenet": googlenet})
