"""MnasNet: what platform-aware search found for a phone (arXiv 1807.11626).

A1 has squeeze-excite, B1 has none, Small is for tight budgets. The space is `mobilenet_v3.MobileNetV3Space` with ReLU
and this family's squeeze-excite: `configs/space/mnasnet_28px.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from nas.arch import Act, Arch
from search_spaces.blocks import SqueezeStyle
from search_spaces.inverted import Table, rows, searched

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


def mnasnet(table: Table = B1, /, **options: Any) -> Arch:
    """A MnasNet: `A1`, `B1` or `SMALL`, with the options and errors of `inverted.searched`."""
    return searched(table, **options)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {
        "mnasnet_a1": partial(searched, A1),
        "mnasnet_b1_1.0": partial(searched, B1),
        "mnasnet_0.5": partial(searched, B1, width=0.5),
        "mnasnet_small": partial(searched, SMALL),
    }
)
