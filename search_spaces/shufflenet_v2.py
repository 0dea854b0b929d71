"""ShuffleNet V2: units that leave half of the channels alone and shuffle the halves (arXiv 1807.11164).

No group convolution, no element-wise sum, equal widths: what the paper's guidelines ask for. Members count as
torchvision's. The space varies widths, kernels, squeeze-excite and residual sums (the paper's section 5, SE and
residual variants).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder
from nas.space import Choice, Choices, Choose
from search_spaces.options import check_options, nearest
from search_spaces.strides import early_ones, make_divisible, scaled
from search_spaces.trunk import Trunk, begin, check_stages, check_trunk, members, pick, write_stem

CHANNELS = MappingProxyType({0.5: 48, 1.0: 116, 1.5: 176, 2.0: 244})  # width -> channels of the first stage
DEPTHS = (4, 8, 4)  # units of each stage; a stage has twice the channels of the one before
STEM = 24
SE_RATIO = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class ShuffleUnit:
    """A unit of ShuffleNet V2. Widths are named by their half, which is what each branch makes.

    Attributes:
        kernel: Kernel of the depthwise convolutions.
        act: Activation of the pointwise convolutions.
        stride: Stride of the depthwise convolutions.
        squeeze: Channels of a squeeze-excite behind the branch that computes; 0 for none.
        residual: Whether that branch adds its input to its output, where it reads half of the unit's input.
    """

    kernel: int
    act: Act
    stride: int = 1
    squeeze: int = 0
    residual: bool = False

    def write(self, net: Builder, name: str, source: str, in_half: str, out_half: str) -> str:
        """Append the unit.

        With stride 1 and equal widths one half of the input passes through; otherwise both branches read all of it.

        Args:
            net: Where to write.
            name: Prefix of the layers' names.
            source: Layer the unit reads.
            in_half: Width name of half of `source`.
            out_half: Width name of half of the unit's output.
        """
        split = in_half == out_half and self.stride == 1
        if split:
            left = net.slice(f"{name}.left", source, in_half)
            right = net.slice(f"{name}.right", source, in_half, skip=(in_half,))
        else:
            left = net.depthwise(f"{name}.left.depthwise", source, kernel=self.kernel, stride=self.stride)
            left = net.conv(f"{name}.left.pointwise", left, out_half, act=self.act)
            right = source
        right = self._compute(net, name, right, out_half, adds=split and self.residual)
        return net.shuffle(f"{name}.shuffle", net.concat(f"{name}.cat", left, right), groups=2)

    def _compute(self, net: Builder, name: str, source: str, out_half: str, *, adds: bool) -> str:
        mid = net.width(f"{name}.mid", net.channels(out_half))
        x = net.conv(f"{name}.expand", source, mid, act=self.act)
        x = net.depthwise(f"{name}.depthwise", x, kernel=self.kernel, stride=self.stride)
        x = net.conv(f"{name}.project", x, out_half, act=Act.IDENTITY if adds else self.act)
        if self.squeeze:
            x = net.squeeze_excite(f"{name}.se", x, net.width(f"{name}.squeeze", self.squeeze))
        return net.residual(f"{name}.sum", source, x, act=self.act) if adds else x


def shufflenet_v2(
    *, width: float = 1.0, size_px: int = 224, image_channels: int = 3, classes: int = 1000, total_stride: int = 32
) -> Arch:
    """ShuffleNet V2.

    Args:
        width: 0.5, 1, 1.5 or 2 as in the paper; others multiply the channels of 1.
        size_px: Height of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: The width leaves no channel, the total stride does not exist, or the image is too small for it.
    """
    strides = early_ones((2, 2, *((2,) * len(DEPTHS))), total_stride=total_stride, size_px=size_px)
    net = Builder(size_px=size_px, image_channels=image_channels)
    x = net.conv("stem", IMAGE, net.width("stem", STEM), kernel=3, stride=strides[0], act=Act.RELU)
    x = net.max_pool("stem.pool", x, kernel=3, stride=strides[1])
    half = "stem"
    for i, depth in enumerate(DEPTHS):
        out_half = net.width(f"s{i}", 2**i * _channels(width) // 2)
        for j in range(depth):
            unit = ShuffleUnit(kernel=3, act=Act.RELU, stride=1 if j else strides[i + 2])
            x, half = unit.write(net, f"s{i}.b{j}", x, half, out_half), out_half
    x = net.conv("head", x, net.width("head", _head(width)), act=Act.RELU)
    return net.classify(net.pool("pool", x), classes=classes)


def _channels(width: float) -> int:
    return CHANNELS.get(width) or scaled(CHANNELS[1.0], width, divisor=2)


def _head(width: float) -> int:
    return 2048 if width >= max(CHANNELS) else 1024


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {f"shufflenet_v2_{width}x": partial(shufflenet_v2, width=width) for width in CHANNELS}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShuffleStage:
    """What may vary in one stage. Options are listed from smallest to largest.

    Attributes:
        halves: Half of the channels of every unit's output.
        depths: Number of units.
        stride: Stride of the first unit.
    """

    halves: tuple[int, ...]
    depths: tuple[int, ...]
    stride: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ShuffleNetV2Space(Trunk):
    """The space: a stem, maybe a max pool, stages of units, a 1x1 convolution, pooling and the classifier.

    Attributes:
        stem_pool: Whether a 3x3 max pool with stride 2 follows.
        kernels, se, residual: Options of each unit.
        act: Activation.
        head_widths: Channels of the last convolution.
        grain: Bottlenecks of squeeze-excites are multiples of it.

    Raises:
        InputError: An option list is empty, unsorted or out of range.
    """

    stem_pool: bool
    stages: tuple[ShuffleStage, ...]
    kernels: tuple[int, ...]
    se: tuple[bool, ...]
    residual: tuple[bool, ...]
    head_widths: tuple[int, ...]
    act: Act = Act.RELU
    grain: int = 8

    def __post_init__(self) -> None:
        check_trunk(self, {"head_widths": 1, "se": 0, "residual": 0}, grain=self.grain, stages=len(self.stages))
        check_stages(self, self.stages, widths="halves")
        check_options(f"{self.name}: kernels", self.kernels, least=1, odd=True)

    def build(self, choose: Choose) -> Arch:
        """Build one architecture."""
        net = begin(self, choose)
        x, half = write_stem(self, net, choose, act=self.act)
        if self.stem_pool:
            x = net.max_pool("stem.pool", x, kernel=3, stride=2)
        for i, stage in enumerate(self.stages):
            out_half = net.width(f"s{i}", int(choose(f"s{i}.half", stage.halves)))
            for j in range(int(choose(f"s{i}.depth", stage.depths))):
                kernel, se, residual = pick(choose, f"s{i}.b{j}", self._units(splits=j > 0))
                unit = ShuffleUnit(
                    kernel=kernel,
                    act=self.act,
                    stride=1 if j else stage.stride,
                    squeeze=make_divisible(net.channels(out_half) * SE_RATIO, self.grain) if se else 0,
                    residual=residual,
                )
                x, half = unit.write(net, f"s{i}.b{j}", x, half, out_half), out_half
        x = net.conv("head", x, net.width("head", int(choose("head.width", self.head_widths))), act=self.act)
        return net.classify(net.pool("pool", x), classes=self.classes)

    def known(self) -> tuple[Choices, ...]:
        """The members nearest to the hand-designed networks, widest first, where there are as many stages."""
        if len(self.stages) != len(DEPTHS):
            return ()
        return members(self, map(self._like, sorted(CHANNELS, reverse=True)))

    def _like(self, width: float) -> Choose:
        def choose(name: str, options: Sequence[Choice]) -> Choice:
            part, _, of = name.partition(".")
            if not of:
                return options[-1]  # the largest resolution
            if of == "width":
                return nearest(options, STEM if part == "stem" else _head(width))
            if of == "half":
                return nearest(options, 2 ** int(part[1:]) * _channels(width) / 2)
            if of == "depth":
                return nearest(options, DEPTHS[int(part[1:])])
            return options[0]  # the smallest kernel, without squeeze-excite or sum

        return choose

    def _units(self, *, splits: bool) -> dict[str, tuple[int, bool, bool]]:
        """One categorical a unit: label -> (kernel, SE, residual), the last one the largest in all."""
        return {
            f"k{kernel} {'se' if se else '-'} {'sum' if residual else '-'}": (kernel, se, residual)
            for kernel in self.kernels
            for se in self.se
            for residual in (self.residual if splits else (False,))
        }
