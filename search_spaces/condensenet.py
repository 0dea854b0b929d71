"""CondenseNet-74 (arXiv 1711.09224) in its deployed form: learned groups have become index + group convolution.

Layers read everything before them in their block and in all blocks before. The index layer before a group convolution
lists the input channels that each group reads, as many in all as there are inputs when the condensation factor C is
the number of groups G. Which channels it lists is data: here a fixed channel shuffle stands in its place, which has
the same counts and moves the same bytes, reading and writing each channel once. The index before the classifier lists
half of the features; a slice stands in its place.

C4G4: 4,773,944 parameters and 516,640,576 MACs, as the authors' converted model has. C8G8: published 2.9 million and
274 million (the authors' README).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder

STAGES = ((4, 8), (6, 16), (8, 32), (10, 64), (8, 128))  # layers, growth
BOTTLENECK = 4  # channels inside a layer over its growth


def condensenet74(*, groups: int = 4, size_px: int = 224, image_channels: int = 3, classes: int = 1000) -> Arch:
    """CondenseNet-74.

    Args:
        groups: Groups of every group convolution, and the condensation factor: 4 or 8.
        size_px: Height and width of the image, pixels, at least 32.
        image_channels: Channels of the image.
        classes: Length of the output.
    """
    net = Builder(size_px=size_px, image_channels=image_channels)
    features = 2 * STAGES[0][1]
    x = net.conv("stem", IMAGE, net.width("stem", features), kernel=3, stride=2, norm=False, bias=False)
    for i, (depth, growth) in enumerate(STAGES):
        if i:
            x = net.avg_pool(f"s{i}.pool", x, kernel=2, stride=2, padding=0)
        for j in range(depth):
            x = _layer(net, f"s{i}.b{j}", x, growth=growth, groups=groups)
        features += depth * growth
    x = net.pool("pool", net.norm("norm", x, act=Act.RELU))
    return net.classify(net.slice("index", x, net.width("index", features // 2)), classes=classes)


def _layer(net: Builder, name: str, source: str, *, growth: int, groups: int) -> str:
    x = net.norm(f"{name}.norm1", net.shuffle(f"{name}.index", source, groups=groups), act=Act.RELU)
    width = net.width(f"{name}.mid", BOTTLENECK * growth)
    x = net.conv(f"{name}.conv1", x, width, groups=groups, norm=False, bias=False)
    x = net.norm(f"{name}.norm2", net.shuffle(f"{name}.shuffle", x, groups=groups), act=Act.RELU)
    width = net.width(f"{name}.growth", growth)
    x = net.conv(f"{name}.conv2", x, width, kernel=3, groups=groups, norm=False, bias=False)
    return net.concat(f"{name}.cat", source, x)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {f"condensenet74_C{groups}G{groups}": partial(condensenet74, groups=groups) for groups in (4, 8)}
)
