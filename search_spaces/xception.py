"""Xception (arXiv 1610.02357): residual blocks of separable convolutions with nothing between their two parts.

Published for 299 px, where it has 8.4 GMACs (timm).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder

# Channels of the separable convolutions, stride; each block but the first begins with a ReLU.
BLOCKS: tuple[tuple[tuple[int, ...], int], ...] = (
    ((128, 128), 2),
    ((256, 256), 2),
    ((728, 728), 2),
    *(((728, 728, 728), 1),) * 8,
    ((728, 1024), 2),
)
STEM, EXIT = (32, 64), (1536, 2048)


def xception(*, size_px: int = 224, image_channels: int = 3, classes: int = 1000) -> Arch:
    """Xception.

    Args:
        size_px: Input size.
        image_channels: Input channels.
        classes: Output length.
    """
    net = Builder(size_px=size_px, image_channels=image_channels)
    x, stride = IMAGE, 2
    for i, channels in enumerate(STEM):
        width = net.width(f"stem{i}", channels)
        x, stride = net.conv(width, x, width, kernel=3, stride=stride, padding=0, act=Act.RELU), 1
    in_width = "stem1"
    for i, (table, stride) in enumerate(BLOCKS):
        out_width = in_width if net.channels(in_width) == table[-1] else net.width(f"b{i}", table[-1])
        x = _block(net, f"b{i}", x, table, stride, in_width=in_width, out_width=out_width)
        in_width = out_width
    for i, channels in enumerate(EXIT):
        x = _separable(net, f"exit{i}", x, net.width(f"exit{i}", channels), act=Act.RELU)
    return net.classify(net.pool("pool", x), classes=classes)


def _block(
    net: Builder, name: str, source: str, table: tuple[int, ...], stride: int, *, in_width: str, out_width: str
) -> str:
    x = source if in_width.startswith("stem") else net.act(f"{name}.act", source, Act.RELU)
    for j, channels in enumerate(table[:-1]):
        x = _separable(net, f"{name}.c{j}", x, net.width(f"{name}.c{j}", channels), act=Act.RELU)
    x = _separable(net, f"{name}.c{len(table) - 1}", x, out_width)
    if in_width == out_width:
        return net.residual(f"{name}.sum", source, x)
    x = net.max_pool(f"{name}.pool", x, kernel=3, stride=stride)
    return net.residual(f"{name}.sum", x, net.conv(f"{name}.shortcut", source, out_width, stride=stride))


def _separable(net: Builder, name: str, source: str, width: str, *, act: Act = Act.IDENTITY) -> str:
    x = net.depthwise(f"{name}.depthwise", source, kernel=3, norm=False, bias=False)
    return net.conv(f"{name}.pointwise", x, width, act=act)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType({"xception": xception})
