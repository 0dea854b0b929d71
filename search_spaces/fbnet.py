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
from search_spaces.inverted import Table, rows, searched

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


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {"fbnet_c": partial(searched, FBNET_C), "spnasnet": partial(searched, SINGLE_PATH)}
)

__all__ = ["FBNET_C", "MEMBERS", "SINGLE_PATH", "searched"]
