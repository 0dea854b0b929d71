"""Residual networks: ResNet, ResNeXt, Wide ResNet.

Deep Residual Learning, arXiv 1512.03385 (the stride sits in the 3x3 convolution, as torchvision has it); Aggregated
Residual Transformations, arXiv 1611.05431; Wide Residual Networks, arXiv 1605.07146. Parameters equal torchvision's:
`wide_resnet50_2` 68,883,240 (11.40 GMACs); WRN-28-10 has the 36.5 M of its paper on ten classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder
from search_spaces.strides import early_ones

WIDTHS = (64, 128, 256, 512)  # of the stages' 3x3 convolutions


@dataclass(frozen=True, kw_only=True, slots=True)
class Bottleneck:
    """1x1, 3x3 and 1x1 convolutions, the last one four times as wide.

    Attributes:
        groups: Of the 3x3 convolution.
        base: Channels a group in the first stage.
    """

    groups: int = 1
    base: int = 64
    expansion: int = 4

    def write(self, net: Builder, name: str, source: str, out_width: str, *, channels: int, stride: int) -> str:
        """Append the branch; the sum is not part of it."""
        mid = channels * self.base // 64 * self.groups
        x = net.conv(f"{name}.reduce", source, net.width(f"{name}.reduce", mid), act=Act.RELU)
        width = net.width(f"{name}.conv", mid)
        x = net.conv(f"{name}.conv", x, width, kernel=3, stride=stride, groups=self.groups, act=Act.RELU)
        return net.conv(f"{name}.expand", x, out_width)


@dataclass(frozen=True, kw_only=True, slots=True)
class Basic:
    """Two 3x3 convolutions."""

    expansion: int = 1

    def write(self, net: Builder, name: str, source: str, out_width: str, *, channels: int, stride: int) -> str:
        """Append the branch; the sum is not part of it."""
        width = net.width(f"{name}.conv0", channels)
        x = net.conv(f"{name}.conv0", source, width, kernel=3, stride=stride, act=Act.RELU)
        return net.conv(f"{name}.conv1", x, out_width, kernel=3)


def resnet(
    block: Basic | Bottleneck,
    depths: tuple[int, ...],
    *,
    size_px: int = 224,
    image_channels: int = 3,
    classes: int = 1000,
    total_stride: int = 32,
) -> Arch:
    """A residual network of four stages.

    Args:
        block: What a residual branch computes.
        depths: Blocks of each stage.
        size_px: Input size.
        image_channels: Input channels.
        classes: Output length.
        total_stride: How many times smaller the last feature map is; below 32 the earliest strides become 1.

    Raises:
        InputError: The image is too small for the strides, or they do not make `total_stride`.
    """
    stem_stride, pool_stride, *strides = early_ones((2, 2, 1, 2, 2, 2), total_stride=total_stride, size_px=size_px)
    net = Builder(size_px=size_px, image_channels=image_channels)
    x = net.conv("stem", IMAGE, net.width("stem", 64), kernel=7, stride=stem_stride, act=Act.RELU)
    x, in_channels = net.max_pool("stem.pool", x, kernel=3, stride=pool_stride), 64
    for i, (channels, depth) in enumerate(zip(WIDTHS, depths, strict=True)):
        out_channels = channels * block.expansion
        plain = i == 0 and out_channels == in_channels  # the first stage goes on from the stem
        width = "stem" if plain else net.width(f"s{i}", out_channels)
        for j in range(depth):
            name, stride = f"s{i}.b{j}", strides[i] if j == 0 else 1
            branch = block.write(net, name, x, width, channels=channels, stride=stride)
            shortcut = x if j or plain else net.conv(f"{name}.shortcut", x, width, stride=stride)
            x = net.residual(f"{name}.sum", shortcut, branch, act=Act.RELU)
        in_channels = out_channels
    return net.classify(net.pool("pool", x), classes=classes)


def wide_resnet(
    depth: int,
    widen: int,
    *,
    size_px: int = 32,
    image_channels: int = 3,
    classes: int = 10,
    total_stride: int = 4,
) -> Arch:
    """A wide residual network for small images: three stages of pre-activation blocks of two 3x3 convolutions.

    Args:
        depth: Convolutions: 6 n + 4.
        widen: Multiple of ResNet's 16, 32 and 64 channels, at least 2.
        size_px: Input size.
        image_channels: Input channels.
        classes: Output length.
        total_stride: As for `resnet`, at most 4.

    Raises:
        InputError: As for `resnet`.
    """
    strides = early_ones((1, 2, 2), total_stride=total_stride, size_px=size_px)
    net = Builder(size_px=size_px, image_channels=image_channels)
    x = net.conv("stem", IMAGE, net.width("stem", 16), kernel=3, act=Act.RELU)  # with the first block's norm
    for i, channels in enumerate((16 * widen, 32 * widen, 64 * widen)):
        width = net.width(f"s{i}", channels)
        for j in range((depth - 4) // 6):
            name, stride = f"s{i}.b{j}", strides[i] if j == 0 else 1
            ready = net.norm(f"{name}.norm", x, act=Act.RELU) if i or j else x
            branch = _pre_activated(net, name, ready, width, stride=stride)
            shortcut = x if j else _plain(net, f"{name}.shortcut", ready, width, stride=stride)
            x = net.residual(f"{name}.sum", shortcut, branch)
    return net.classify(net.pool("pool", net.norm("norm", x, act=Act.RELU)), classes=classes)


def _pre_activated(net: Builder, name: str, ready: str, width: str, *, stride: int) -> str:
    """The branch behind a block's norm and ReLU; no norm follows its last convolution."""
    mid = net.width(f"{name}.mid", net.channels(width))
    x = net.conv(f"{name}.conv0", ready, mid, kernel=3, stride=stride, act=Act.RELU)
    return _plain(net, f"{name}.conv1", x, width, kernel=3)


def _plain(net: Builder, name: str, source: str, width: str, *, kernel: int = 1, stride: int = 1) -> str:
    return net.conv(name, source, width, kernel=kernel, stride=stride, norm=False, bias=False)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {
        "resnet18": partial(resnet, Basic(), (2, 2, 2, 2)),
        "resnet50": partial(resnet, Bottleneck(), (3, 4, 6, 3)),
        "resnext50_32x4d": partial(resnet, Bottleneck(groups=32, base=4), (3, 4, 6, 3)),
        "wide_resnet50_2": partial(resnet, Bottleneck(base=128), (3, 4, 6, 3)),
        "wide_resnet28_10": partial(wide_resnet, 28, 10),
    }
)
