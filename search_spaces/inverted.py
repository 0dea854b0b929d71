"""Tables of inverted residuals to networks: what MobileNetV2, MnasNet, EfficientNet and others have in common.

A stem, stages of equal blocks, a 1x1 convolution, pooling and a classifier. The families differ in the tables, in how
they scale them and in their activations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from nas.arch import IMAGE, Act, Arch, Builder
from search_spaces.blocks import InvertedResidual, SqueezeStyle, make_divisible
from search_spaces.strides import early_ones, scaled


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Equal blocks one after the other.

    Attributes:
        kernel: Kernel of the depthwise convolutions.
        expansion: Channels inside a block over its input's; 1: no expansion convolution.
        channels: Output channels of every block.
        depth: Number of blocks.
        stride: Stride of the first block.
        se: Whether blocks squeeze and excite.
    """

    kernel: int
    expansion: float
    channels: int
    depth: int
    stride: int
    se: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A whole network of such stages.

    Attributes:
        stem: Channels of the first convolution, 3x3 with stride 2.
        stages: What follows.
        head: Channels of the last convolution.
        act: Activation everywhere.
        squeeze: Style of the squeeze-excite.
        always_expands: Blocks of expansion 1 have an expansion convolution nevertheless.
    """

    stem: int
    stages: tuple[Stage, ...]
    head: int
    act: Act
    squeeze: SqueezeStyle
    always_expands: bool = False

    def scaled(self, *, width: float, depth: float = 1.0) -> Table:
        """Multiply channels of stem and stages, rounded to multiples of 8, and numbers of blocks, rounded up."""
        stages = (
            replace(stage, channels=scaled(stage.channels, width), depth=math.ceil(stage.depth * depth))
            for stage in self.stages
        )
        return replace(self, stem=scaled(self.stem, width), stages=tuple(stages))


def rows(*stages: tuple[int, float, int, int, int] | tuple[int, float, int, int, int, bool]) -> tuple[Stage, ...]:
    """Stages from rows of a paper's table: kernel, expansion, channels, depth, stride and maybe squeeze-excite."""
    names = ("kernel", "expansion", "channels", "depth", "stride", "se")
    return tuple(Stage(**dict(zip(names, row, strict=False))) for row in stages)  # type: ignore[arg-type]


def searched(
    table: Table,
    /,
    *,
    width: float = 1.0,
    size_px: int = 224,
    image_channels: int = 3,
    classes: int = 1000,
    total_stride: int = 32,
) -> Arch:
    """A network that a search found: such a table at a width.

    Args:
        table: Its rows at width 1, such as `fbnet.FBNET_C` or `mnasnet.A1`.
        width: Width multiplier of all but the last convolution; channels are rounded to multiples of 8.
        size_px: Height of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: The width leaves no channel, the total stride does not exist, or the image is too small for it.
    """
    return write_table(
        table.scaled(width=width),
        size_px=size_px,
        image_channels=image_channels,
        classes=classes,
        total_stride=total_stride,
    )


def write_table(table: Table, *, size_px: int, image_channels: int, classes: int, total_stride: int) -> Arch:
    """Build the network.

    A block has its residual sum where its design has stride 1 and as many channels come out as go in.

    Raises:
        InputError: The network has no such total stride, or the image is too small for it.
    """
    designed = (2, *(stage.stride for stage in table.stages))
    strides = early_ones(designed, total_stride=total_stride, size_px=size_px)
    net = Builder(size_px=size_px, image_channels=image_channels)
    width = net.width("stem", table.stem)
    x = net.conv("stem", IMAGE, width, kernel=3, stride=strides[0], act=table.act)
    for i, stage in enumerate(table.stages):
        same = stage.stride == 1 and stage.channels == net.channels(width)
        out = width if same else net.width(f"s{i}", stage.channels)
        for j in range(stage.depth):
            in_channels = net.channels(width)
            mid = make_divisible(stage.expansion * in_channels)
            block = InvertedResidual(
                kernel=stage.kernel,
                mid=mid,
                squeeze=table.squeeze.channels(in_channels=in_channels, mid=mid) if stage.se else 0,
                act=table.act,
                stride=1 if j else strides[i + 1],
                squeeze_act=table.squeeze.act,
                gate=table.squeeze.gate,
                always_expands=table.always_expands,
            )
            x, width = block.write(net, f"s{i}.b{j}", x, width, out), out
    x = net.conv("head", x, net.width("head", table.head), act=table.act)
    return net.classify(net.pool("pool", x), classes=classes)
