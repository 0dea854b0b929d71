"""MobileNetV3-like networks: stages of inverted residuals with elastic kernel, expansion, SE, activation, depth, width.

Searching for MobileNetV3, arXiv 1905.02244. The hand-designed ones are in `mobilenet_v3_designs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas.arch import IMAGE, Act, Arch, Builder
from nas.errors import InputError
from nas.space import Choice, Choices, Choose, record
from search_spaces.blocks import InvertedResidual, make_divisible
from search_spaces.mobilenet_v3_designs import (
    ENDS,
    LARGE,
    SE_RATIO,
    SMALL,
    Row,
    mobilenet_v3_large,
    mobilenet_v3_small,
    stages_of,
)

MULTIPLIERS = (1.0, 0.75, 0.5, 0.35)  # of a hand-designed network's widths


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

    def known(self) -> tuple[Choices, ...]:
        """The members nearest to hand-designed networks with the strides of this space's stages, widest first."""
        tables = [stages for stages in map(stages_of, (LARGE, SMALL)) if self._strides == [s[0][5] for s in stages]]
        found = [record(self, self._like(stages, width))[1] for stages in tables for width in MULTIPLIERS]
        return tuple(choices for i, choices in enumerate(found) if choices not in found[:i])

    @property
    def _strides(self) -> list[int]:
        return [stage.stride for stage in self.stages]

    def _like(self, stages: Sequence[Sequence[Row]], multiplier: float) -> Choose:
        def choose(name: str, options: Sequence[Choice]) -> Choice:
            part, _, of = name.partition(".")
            if not of:
                return options[-1]  # the largest resolution
            if part in ENDS:
                return _nearest(options, ENDS[part] * (multiplier if part == "stem" else 1))
            i = int(part[1:])
            if of == "depth":
                return _nearest(options, len(stages[i]))
            if of == "width":
                return _nearest(options, stages[i][0][2] * multiplier)
            j = min(int(of[1:]), len(stages[i]) - 1)
            before = stages[i][j - 1] if j else stages[i - 1][-1] if i else None
            return self._nearest_block(self.stages[i], stages[i][j], before[2] if before else ENDS["stem"])

        return choose

    def _nearest_block(self, stage: StageSpace, row: Row, in_channels: float) -> str:
        kernel, mid, _, se, hswish, _ = row
        act, blocks = Act.HSWISH if hswish else Act.RELU, self._block_options(stage)

        def distance(label: str) -> tuple[float, ...]:
            its_kernel, its_expansion, its_se, its_act = blocks[label]
            return its_se != se, its_act != act, abs(its_kernel - kernel), abs(its_expansion - mid / in_channels)

        return min(blocks, key=distance)

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


def _nearest(options: Sequence[Choice], wanted: float) -> Choice:
    return min(options, key=lambda option: abs(float(option) - wanted))


__all__ = ["MobileNetV3Space", "StageSpace", "mobilenet_v3_large", "mobilenet_v3_small"]
