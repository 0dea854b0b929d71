"""MobileNetV3-like networks: stages of inverted residuals with elastic kernel, expansion, SE, activation, depth, width.

Searching for MobileNetV3, arXiv 1905.02244. The hand-designed Large and Small are at the end of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas.arch import IMAGE, Act, Arch, Builder
from nas.errors import InputError
from nas.space import Choose
from search_spaces.blocks import InvertedResidual, make_divisible

SE_RATIO = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSpace:
    """What may vary in one stage. Options are listed from smallest to largest.

    Attributes:
        widths: Output channels of every block of the stage.
        depths: Number of blocks.
        stride: Stride of the first block.
        kernels, expansions, se, acts: Options of each block; empty means those of the space.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    stride: int
    kernels: tuple[int, ...] = ()
    expansions: tuple[float, ...] = ()
    se: tuple[bool, ...] = ()
    acts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class MobileNetV3Space:
    """The space: a stem, stages, a 1x1 convolution, pooling, a linear layer and the classifier.

    Attributes:
        sizes_px: Input resolutions.
        stem_widths: Channels of the stem.
        kernels, expansions, se, acts: Options of each block.
        head_expansions: Channels of the last convolution, as a multiple of the last stage's width.
        feature_widths: Channels of the linear layer before the classifier; (0,) for none.
        grain: Channel counts are multiples of it.

    Raises:
        InputError: An option list is empty, unsorted or out of range.
    """

    name: str
    image_channels: int
    classes: int
    sizes_px: tuple[int, ...]
    stem_widths: tuple[int, ...]
    stem_stride: int
    stages: tuple[StageSpace, ...]
    kernels: tuple[int, ...]
    expansions: tuple[float, ...]
    se: tuple[bool, ...]
    acts: tuple[str, ...]
    head_expansions: tuple[float, ...]
    feature_widths: tuple[int, ...]
    grain: int = 8

    def __post_init__(self) -> None:
        lists = {name: getattr(self, name) for name in _SORTED}
        for i, stage in enumerate(self.stages):
            lists |= {f"stages[{i}].{name}": getattr(stage, name) for name in ("widths", "depths")}
            lists |= {f"stages[{i}].{name}": getattr(stage, name) or getattr(self, name) for name in _BLOCK}
        for name, options in lists.items():
            _check_options(f"{self.name}: {name}", options)
        counts = {name: getattr(self, name) for name in ("image_channels", "classes", "stem_stride", "grain")}
        for name, count in (
            counts | {f"stages[{i}].stride": stage.stride for i, stage in enumerate(self.stages)}
        ).items():
            if count < 1:
                raise InputError(f"{self.name}: {name} = {count} must be at least 1")

    def build(self, choose: Choose) -> Arch:
        """Build one architecture."""
        net = Builder(size_px=int(choose("size_px", self.sizes_px)), image_channels=self.image_channels)
        width = net.width("stem", int(choose("stem.width", self.stem_widths)))
        x = net.conv("stem", IMAGE, width, kernel=3, stride=self.stem_stride, act=Act.HSWISH)
        for i, stage in enumerate(self.stages):
            x, width = self._stage(net, choose, stage, name=f"s{i}", source=x, in_width=width)
        ratio = float(choose("head.expansion", self.head_expansions))
        head = net.width("head", make_divisible(ratio * net.channels(width), self.grain))
        x = net.pool("pool", net.conv("head", x, head, act=Act.HSWISH))
        features = int(choose("features.width", self.feature_widths))
        if features:
            x = net.linear("features", x, net.width("features", features), act=Act.HSWISH)
        return net.classify(x, classes=self.classes)

    def _stage(
        self, net: Builder, choose: Choose, stage: StageSpace, *, name: str, source: str, in_width: str
    ) -> tuple[str, str]:
        x, out_width = source, net.width(name, int(choose(f"{name}.width", stage.widths)))
        blocks = self._block_options(stage)
        for j in range(int(choose(f"{name}.depth", stage.depths))):
            kernel, expansion, se, act = blocks[str(choose(f"{name}.b{j}", tuple(blocks)))]
            mid = make_divisible(expansion * net.channels(in_width), self.grain)
            block = InvertedResidual(
                kernel=kernel,
                mid=mid,
                squeeze=make_divisible(mid * SE_RATIO, self.grain) if se else 0,
                act=Act(act),
                stride=stage.stride if j == 0 else 1,
            )
            x, in_width = block.write(net, f"{name}.b{j}", x, in_width, out_width), out_width
        return x, out_width

    def _block_options(self, stage: StageSpace) -> dict[str, tuple[int, float, bool, str]]:
        """One categorical a block: label -> (kernel, expansion, SE, activation), the last one the largest in all."""
        return {
            f"k{kernel} e{expansion:g} {'se' if se else '-'} {act}": (kernel, expansion, se, act)
            for kernel in stage.kernels or self.kernels
            for expansion in stage.expansions or self.expansions
            for se in stage.se or self.se
            for act in stage.acts or self.acts
        }


_BLOCK = ("kernels", "expansions", "se", "acts")
_POSITIVE = ("widths", "depths", "sizes_px", "stem_widths", "kernels", "expansions", "head_expansions")
_SORTED = ("sizes_px", "stem_widths", "head_expansions", "feature_widths", *_BLOCK)


def _check_options(name: str, options: Sequence[int | float | str]) -> None:
    if not options:
        raise InputError(f"{name} is empty; give at least one option")
    unknown = [option for option in options if isinstance(option, str) and option not in list(Act)]
    if unknown:
        raise InputError(f"{name}: unknown activation {unknown[0]!r}; known: {', '.join(Act)}")
    numbers = [option for option in options if not isinstance(option, str)]
    if numbers != sorted(set(numbers)):
        raise InputError(f"{name} = {numbers} must be ascending, without repetitions")
    lowest = min(numbers, default=1)
    if lowest < 0 or (lowest == 0 and name.replace(".", " ").split()[-1] in _POSITIVE):
        raise InputError(f"{name} = {numbers} must be positive")
    if name.endswith("kernels") and any(int(size) % 2 == 0 for size in options):
        raise InputError(f"{name} = {numbers} must be odd")


# Hand-designed members (tables 1 and 2 of the paper): kernel, expansion channels, output channels, SE, h-swish, stride.
_LARGE = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
_SMALL = (
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)


def mobilenet_v3_large(**options: float) -> Arch:
    """MobileNetV3-Large; options as for `mobilenet_v3_small`."""
    return _hand_designed(_LARGE, features=1280, **options)


def mobilenet_v3_small(**options: float) -> Arch:
    """MobileNetV3-Small.

    Args:
        **options: `width` (multiplier, 1.0), `size_px` (224), `image_channels` (3), `classes` (1000),
            `stem_stride` (2).
    """
    return _hand_designed(_SMALL, features=1024, **options)


def _hand_designed(
    table: Sequence[tuple[int, int, int, bool, bool, int]],
    *,
    features: int,
    width: float = 1.0,
    size_px: float = 224,
    image_channels: float = 3,
    classes: float = 1000,
    stem_stride: float = 2,
) -> Arch:
    net = Builder(size_px=int(size_px), image_channels=int(image_channels))
    in_width = net.width("stem", make_divisible(16 * width))
    x = net.conv("stem", IMAGE, in_width, kernel=3, stride=int(stem_stride), act=Act.HSWISH)
    stage, in_table = -1, 16
    for i, (kernel, mid, out, se, hswish, stride) in enumerate(table):
        channels = make_divisible(out * width)
        shared = stride == 1 and channels == net.channels(in_width)
        if not shared:
            stage += 1
        out_width = in_width if shared else net.width(f"s{stage}", channels)
        mid_channels = make_divisible(mid / in_table * net.channels(in_width))
        block = InvertedResidual(
            kernel=kernel,
            mid=mid_channels,
            squeeze=make_divisible(mid_channels * SE_RATIO) if se else 0,
            act=Act.HSWISH if hswish else Act.RELU,
            stride=stride,
        )
        x, in_width = block.write(net, f"b{i}", x, in_width, out_width), out_width
        in_table = out
    x = net.conv("head", x, net.width("head", make_divisible(6 * table[-1][2] * width)), act=Act.HSWISH)
    x = net.linear("features", net.pool("pool", x), net.width("features", features), act=Act.HSWISH)
    return net.classify(x, classes=int(classes))


__all__ = ["MobileNetV3Space", "StageSpace", "mobilenet_v3_large", "mobilenet_v3_small"]
