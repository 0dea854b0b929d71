"""Interleaved group convolutions, three generations.

Group convolutions whose groups interleave, so that every output still sees every input: V1 a spatial and a pointwise
one (arXiv 1707.02725), V2 a depthwise and several pointwise ones (arXiv 1804.06202), V3 two pointwise ones around a
depthwise one, low-rank like MobileNetV2 (arXiv 1806.00178). Channel counts must be multiples of the groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder
from search_spaces.strides import early_ones, scaled


@dataclass(frozen=True, kw_only=True, slots=True)
class InterleavedResidual:
    """IGCV3's block: an inverted residual whose pointwise convolutions have groups, with channel shuffles between.

    Attributes:
        mid: Channels inside the block, a multiple of `groups`.
        groups: Groups of both pointwise convolutions.
        stride: Stride of the depthwise convolution.
    """

    mid: int
    groups: int
    stride: int

    def write(self, net: Builder, name: str, source: str, in_width: str, out_width: str) -> str:
        """Append the block; a residual sum is there when input and output share a width and the stride is 1.

        Args:
            net: Where to write.
            name: Prefix of the layers' names.
            source: Layer the block reads.
            in_width: Width name of `source`.
            out_width: Width name of the block's output.
        """
        x = net.conv(f"{name}.expand", source, net.width(f"{name}.mid", self.mid), groups=self.groups)
        x = net.shuffle(f"{name}.interleave", x, groups=self.groups)
        x = net.depthwise(f"{name}.depthwise", x, kernel=3, stride=self.stride, act=Act.RELU6)
        x = net.conv(f"{name}.project", x, out_width, groups=self.groups)
        # Super-channels of two: the shuffle that undoes one of as many groups as there are pairs.
        x = net.shuffle(f"{name}.restore", x, groups=net.channels(out_width) // self.groups)
        if in_width == out_width and self.stride == 1:
            x = net.residual(f"{name}.sum", source, x)
        return x


V3_STEM, V3_HEAD, V3_GROUPS = 32, 1280, 2
V3_STAGES = (  # expansion, channels, depth, stride
    (1, 16, 1, 1),
    (6, 24, 4, 2),
    (6, 32, 6, 2),
    (6, 64, 8, 2),
    (6, 96, 6, 1),
    (6, 160, 6, 2),
    (6, 320, 1, 1),
)


def igcv3_d(
    *, width: float = 1.0, size_px: int = 224, image_channels: int = 3, classes: int = 1000, total_stride: int = 32
) -> Arch:
    """IGCV3-D: as wide as MobileNetV2 and twice as deep; 3.5 M parameters by its authors' README.

    Our count is 3,491,688, equal to that of the independent implementation in osmr/imgclsmob (as are those of x0.5 and
    x0.75, 1,985,528 and 2,638,084).

    Args:
        width: Width multiplier; channels are rounded to multiples of 2.
        size_px: Height of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: The width leaves no channel, the total stride does not exist, or the image is too small for it.
    """
    designed = (2, *(stage[3] for stage in V3_STAGES))
    strides = early_ones(designed, total_stride=total_stride, size_px=size_px)
    net = Builder(size_px=size_px, image_channels=image_channels)
    in_width = net.width("stem", scaled(V3_STEM, width, divisor=V3_GROUPS))
    x = net.conv("stem", IMAGE, in_width, kernel=3, stride=strides[0], act=Act.RELU6)
    for i, (expansion, channels, depth, _) in enumerate(V3_STAGES):
        out_width = net.width(f"s{i}", scaled(channels, width, divisor=V3_GROUPS))
        for j in range(depth):
            block = InterleavedResidual(
                mid=expansion * net.channels(in_width), groups=V3_GROUPS, stride=1 if j else strides[i + 1]
            )
            x, in_width = block.write(net, f"s{i}.b{j}", x, in_width, out_width), out_width
    x = net.conv("head", x, net.width("head", scaled(V3_HEAD, max(1.0, width))), act=Act.RELU6)
    return net.classify(net.pool("pool", x), classes=classes)


@dataclass(frozen=True, kw_only=True, slots=True)
class InterleavedPair:
    """IGCV1's pair: a 3x3 convolution in `primary` groups and a pointwise one in `secondary` groups across them.

    Attributes:
        primary: Groups of the spatial convolution (L in the paper).
        secondary: Groups of the pointwise one (M).
        stride: Stride of the spatial convolution.
        act: Activation of the pointwise one.
    """

    primary: int
    secondary: int
    stride: int
    act: Act

    def write(self, net: Builder, name: str, source: str, width: str) -> str:
        """Append the pair; its output, and what lies between, has `width`."""
        x = net.conv(
            f"{name}.primary",
            source,
            width,
            kernel=3,
            stride=self.stride,
            groups=self.primary,
            norm=False,
            bias=False,
        )
        x = net.shuffle(f"{name}.interleave", x, groups=self.primary)
        x = net.conv(f"{name}.secondary", x, width, groups=self.secondary, act=self.act)
        return net.shuffle(f"{name}.restore", x, groups=self.secondary)


V1_STRIDES, V1_DEPTH = (1, 2, 2, 2), 2


def igcv1(
    *,
    stem: int,
    primary: tuple[int, int, int, int],
    secondary: tuple[int, int, int, int],
    size_px: int = 224,
    image_channels: int = 3,
    classes: int = 1000,
    total_stride: int = 32,
) -> Arch:
    """IGCV1 in the layout of ResNet-18, with identity shortcuts.

    The paper's table 7 leaves out batch norm, and for L4M32 the classifier: 11.205 M parameters and 1.9 G MACs for
    L4M32, 8.61 M and 1.3 G for L100M2. Layout from hellozting/InterleavedGroupConvolutions.

    Args:
        stem: Channels of the stem.
        primary: Groups of the spatial convolutions in each stage (L).
        secondary: Groups of the pointwise convolutions in each stage (M); a stage has L * M channels.
        size_px: Height of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: The total stride does not exist, or the image is too small for it.
    """
    strides = early_ones((2, 2, *V1_STRIDES), total_stride=total_stride, size_px=size_px)
    net = Builder(size_px=size_px, image_channels=image_channels)
    in_width = net.width("stem", stem)
    x = net.conv("stem", IMAGE, in_width, kernel=7, stride=strides[0], act=Act.RELU)
    x = net.max_pool("stem.pool", x, kernel=3, stride=strides[1])
    for i, (left, right) in enumerate(zip(primary, secondary, strict=True)):
        same = left * right == net.channels(in_width)
        width = in_width if same else net.width(f"s{i}", left * right)
        for j in range(V1_DEPTH):
            name, stride = f"s{i}.b{j}", 1 if j else strides[i + 2]
            mid = net.width(f"{name}.mid", left * right)
            first = InterleavedPair(primary=left, secondary=right, stride=stride, act=Act.RELU)
            second = InterleavedPair(primary=left, secondary=right, stride=1, act=Act.IDENTITY)
            y = second.write(net, f"{name}.second", first.write(net, f"{name}.first", x, mid), width)
            if in_width != width:
                x = net.conv(f"{name}.shortcut", x, width, stride=stride, groups=left)
            x, in_width = net.residual(f"{name}.sum", x, y, act=Act.RELU), width
    return net.classify(net.pool("pool", x), classes=classes)


@dataclass(frozen=True, kw_only=True, slots=True)
class StructuredSparse:
    """IGCV2's block: a depthwise convolution and a chain of pointwise ones in groups of `branch` channels.

    Attributes:
        branch: Channels of a group (K in the paper).
        chain: Number of pointwise convolutions (L - 1): with branch^chain channels and more, each output sees each
            input by one path.
        stride: Stride of the depthwise convolution.
    """

    branch: int
    chain: int
    stride: int

    def write(self, net: Builder, name: str, source: str, in_width: str, out_width: str) -> str:
        """Append the block, which has no residual sum; `in_width` must divide `out_width`.

        Args:
            net: Where to write.
            name: Prefix of the layers' names.
            source: Layer the block reads.
            in_width: Width name of `source`.
            out_width: Width name of the block's output.
        """
        groups = net.channels(in_width) // self.branch
        x = net.depthwise(f"{name}.depthwise", source, kernel=3, stride=self.stride, norm=False, bias=False)
        for i in range(self.chain):
            last = i == self.chain - 1
            x = net.conv(
                f"{name}.sparse{i}",
                x,
                out_width,
                groups=groups,
                act=Act.RELU if last else Act.IDENTITY,
                norm=last,
                bias=False,
            )
            groups = net.channels(out_width) // self.branch
            x = x if last else net.shuffle(f"{name}.interleave{i}", x, groups=groups)
        return x


V2_BRANCH, V2_CHAIN, V2_DEPTH, V2_STRIDES = 8, 3, 6, (1, 2, 2)


def igcv2(*, channels: int = 416, size_px: int = 32, image_channels: int = 3, classes: int = 10) -> Arch:
    """IGCV2* for small images: a stem, three stages of six blocks, widths doubling.

    A reconstruction from the paper's description: its counts are not checked against a source, and its ImageNet
    networks are not here, for their layout is in no public code that we found.

    Args:
        channels: Channels of the first stage, a multiple of 8.
        size_px: Height of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.

    Raises:
        InputError: Channels are no multiple of the groups, or the image is too small for the strides.
    """
    strides = early_ones(V2_STRIDES, total_stride=4, size_px=size_px)
    net = Builder(size_px=size_px, image_channels=image_channels)
    in_width = net.width("stem", channels)
    x = net.conv("stem", IMAGE, in_width, kernel=3, act=Act.RELU)
    for i, stride in enumerate(strides):
        for j in range(V2_DEPTH):
            out_width = net.width(f"s{i}.b{j}", channels * 2**i)
            block = StructuredSparse(branch=V2_BRANCH, chain=V2_CHAIN, stride=1 if j else stride)
            x, in_width = block.write(net, f"s{i}.b{j}", x, in_width, out_width), out_width
    return net.classify(net.pool("pool", x), classes=classes)


_FIRST_TWO: dict[str, Callable[..., Arch]] = {
    "igcv1_l4m32": partial(igcv1, stem=128, primary=(4, 4, 4, 4), secondary=(32, 64, 128, 256)),
    "igcv1_l100m2": partial(igcv1, stem=100, primary=(100, 200, 400, 800), secondary=(2, 2, 2, 2)),
    "igcv2_c416": igcv2,
}
MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    _FIRST_TWO | {f"igcv3_d_{width}": partial(igcv3_d, width=width) for width in (0.5, 0.75, 1.0)}
)
