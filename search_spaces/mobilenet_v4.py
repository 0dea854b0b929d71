"""MobileNetV4-Conv-Small: universal inverted bottlenecks (arXiv 2404.10518, table 11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder
from search_spaces.strides import early_ones, make_divisible, scaled


@dataclass(frozen=True, kw_only=True, slots=True)
class UniversalBottleneck:
    """An inverted residual with two optional depthwise convolutions.

    With the second it is MobileNetV2's block, with the first ConvNeXt's, with both "extra depthwise", with none a
    feed-forward network.

    Attributes:
        first: Kernel of the depthwise convolution before the expansion; 0 for none.
        second: Kernel of the one behind it; 0 for none.
        mid: Channels inside the block.
        stride: Stride of the last depthwise convolution that is there.
        act: Activation of the expansion and of the second depthwise convolution.
    """

    first: int
    second: int
    mid: int
    stride: int
    act: Act = Act.RELU

    def write(self, net: Builder, name: str, source: str, in_width: str, out_width: str) -> str:
        """Append the block; a residual sum is there when input and output share a width and the stride is 1.

        Args:
            net: Where to write.
            name: Prefix of the layers' names.
            source: Layer the block reads.
            in_width: Width name of `source`.
            out_width: Width name of the block's output.
        """
        x = source
        if self.first:
            stride = 1 if self.second else self.stride
            x = net.depthwise(f"{name}.first", x, kernel=self.first, stride=stride)
        x = net.conv(f"{name}.expand", x, net.width(f"{name}.mid", self.mid), act=self.act)
        if self.second:
            x = net.depthwise(f"{name}.second", x, kernel=self.second, stride=self.stride, act=self.act)
        x = net.conv(f"{name}.project", x, out_width)
        if in_width == out_width and self.stride == 1:
            x = net.residual(f"{name}.sum", source, x)
        return x


CONVS = ((3, 2, 32), (3, 2, 32), (1, 1, 32), (3, 2, 96), (1, 1, 64))  # kernel, stride, channels
BLOCKS = (  # kernels, expansion, channels, stride
    (5, 5, 3, 96, 2),
    *((0, 3, 2, 96, 1),) * 4,
    (3, 0, 4, 96, 1),
    (3, 3, 6, 128, 2),
    (5, 5, 4, 128, 1),
    (0, 5, 4, 128, 1),
    (0, 5, 3, 128, 1),
    *((0, 3, 4, 128, 1),) * 2,
)
HEAD, FEATURES = 960, 1280


def mobilenet_v4_conv_small(
    *, width: float = 1.0, size_px: int = 224, image_channels: int = 3, classes: int = 1000, total_stride: int = 32
) -> Arch:
    """MobileNetV4-Conv-Small.

    Args:
        width: Width multiplier of all but the last convolution; channels are rounded to multiples of 8.
        size_px: Height of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: The width leaves no channel, the total stride does not exist, or the image is too small for it.
    """
    designed = (*(stride for _, stride, _ in CONVS), *(row[4] for row in BLOCKS))
    strides = iter(early_ones(designed, total_stride=total_stride, size_px=size_px))
    net = Builder(size_px=size_px, image_channels=image_channels)
    x, in_width = IMAGE, IMAGE
    for i, (kernel, _, channels) in enumerate(CONVS):
        in_width = net.width(f"c{i}", scaled(channels, width))
        x = net.conv(f"c{i}", x, in_width, kernel=kernel, stride=next(strides), act=Act.RELU)
    for i, (first, second, expansion, channels, stride) in enumerate(BLOCKS):
        out_width = in_width if stride == 1 else net.width(f"s{i}", scaled(channels, width))
        mid = make_divisible(expansion * net.channels(in_width))
        block = UniversalBottleneck(first=first, second=second, mid=mid, stride=next(strides))
        x, in_width = block.write(net, f"b{i}", x, in_width, out_width), out_width
    x = net.conv("head", x, net.width("head", scaled(HEAD, width)), act=Act.RELU)
    x = net.conv("features", net.pool("pool", x), net.width("features", FEATURES), act=Act.RELU)
    return net.classify(x, classes=classes)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType({"mobilenet_v4_conv_small": mobilenet_v4_conv_small})
