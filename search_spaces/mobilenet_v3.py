"""MobileNetV3-like networks: stages of inverted residuals with elastic kernel, expansion, SE, activation, depth, width.

Searching for MobileNetV3, arXiv 1905.02244. The hand-designed ones are in `mobilenet_v3_designs`. With other options,
activation at the ends and style of squeeze-excite the same space is that of MobileNetV2, MnasNet and EfficientNet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.arch import Act, Arch, Builder
from nas.space import Choice, Choices, Choose
from search_spaces.blocks import InvertedResidual, SqueezeStyle, make_divisible
from search_spaces.mobilenet_v3_designs import (
    ENDS,
    LARGE,
    SMALL,
    Row,
    mobilenet_v3_large,
    mobilenet_v3_small,
    stages_of,
)
from search_spaces.options import check_options, check_words, nearest
from search_spaces.trunk import (
    StageOptions,
    Trunk,
    begin,
    check_stages,
    check_trunk,
    members,
    pick,
    write_features,
    write_stem,
)

SQUEEZE = SqueezeStyle()  # MobileNetV3's own
MULTIPLIERS = (1.0, 0.75, 0.5, 0.35)  # of a hand-designed network's widths


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSpace(StageOptions):
    """What may vary in one stage. Options are listed from smallest to largest.

    Attributes:
        kernels, expansions, se, acts: Options of each block; empty means those of the space.
    """

    kernels: tuple[int, ...] = ()
    expansions: tuple[float, ...] = ()
    se: tuple[bool, ...] = ()
    acts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class MobileNetV3Space(Trunk):
    """The space: a stem, stages, a 1x1 convolution, pooling, a linear layer and the classifier.

    Attributes:
        kernels, expansions, se, acts: Options of each block.
        head_expansions: Channels of the last convolution, as a multiple of the last stage's width.
        feature_widths: Channels of the linear layer before the classifier; (0,) for none.
        grain: Channel counts are multiples of it.
        end_act: Activation of the stem, the last convolution and the linear layer.
        squeeze: Style of the squeeze-excite.

    Raises:
        InputError: An option list is empty, unsorted or out of range.
    """

    stages: tuple[StageSpace, ...]
    kernels: tuple[int, ...]
    expansions: tuple[float, ...]
    se: tuple[bool, ...]
    acts: tuple[str, ...]
    head_expansions: tuple[float, ...]
    feature_widths: tuple[int, ...]
    grain: int = 8
    end_act: Act = Act.HSWISH
    squeeze: SqueezeStyle = SQUEEZE

    def __post_init__(self) -> None:
        check_trunk(self, {"head_expansions": 0.01, "feature_widths": 0}, grain=self.grain)
        check_stages(self, self.stages)
        _check_blocks(f"{self.name}: ", {name: getattr(self, name) for name in _BLOCK})
        for i, stage in enumerate(self.stages):
            given = {name: getattr(stage, name) for name in _BLOCK if getattr(stage, name)}
            _check_blocks(f"{self.name}: stages[{i}].", given)

    def build(self, choose: Choose) -> Arch:
        """Build one architecture."""
        net = begin(self, choose)
        x, width = write_stem(self, net, choose, act=self.end_act)
        for i, stage in enumerate(self.stages):
            x, width = self._stage(net, choose, stage, name=f"s{i}", source=x, in_width=width)
        ratio = float(choose("head.expansion", self.head_expansions))
        head = net.width("head", make_divisible(ratio * net.channels(width), self.grain))
        x = net.conv("head", x, head, act=self.end_act)
        return write_features(self, net, choose, x, widths=self.feature_widths, act=self.end_act)

    def known(self) -> tuple[Choices, ...]:
        """The members nearest to hand-designed networks with the strides of this space's stages, widest first."""
        tables = [stages for stages in map(stages_of, (LARGE, SMALL)) if self._strides == [s[0][5] for s in stages]]
        return members(self, (self._like(stages, width) for stages in tables for width in MULTIPLIERS))

    @property
    def _strides(self) -> list[int]:
        return [stage.stride for stage in self.stages]

    def _like(self, stages: Sequence[Sequence[Row]], multiplier: float) -> Choose:
        def choose(name: str, options: Sequence[Choice]) -> Choice:
            part, _, of = name.partition(".")
            if not of:
                return options[-1]  # the largest resolution
            if part in ENDS:
                return nearest(options, ENDS[part] * (multiplier if part == "stem" else 1))
            i = int(part[1:])
            if of == "depth":
                return nearest(options, len(stages[i]))
            if of == "width":
                return nearest(options, stages[i][0][2] * multiplier)
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
            kernel, expansion, se, act = pick(choose, f"{name}.b{j}", blocks)
            in_channels = net.channels(in_width)
            mid = make_divisible(expansion * in_channels, self.grain)
            block = InvertedResidual(
                kernel=kernel,
                mid=mid,
                squeeze=self.squeeze.channels(in_channels=in_channels, mid=mid, grain=self.grain) if se else 0,
                act=Act(act),
                stride=stage.stride if j == 0 else 1,
                squeeze_act=self.squeeze.act,
                gate=self.squeeze.gate,
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


def _check_blocks(where: str, options: Mapping[str, Sequence[Any]]) -> None:
    """Check what the blocks of a stage, or of the whole space, choose from."""
    for name, given in options.items():
        match name:
            case "acts":
                check_words(f"{where}acts", given, list(Act), what="activation")
            case "se":
                check_options(f"{where}se", given)
            case "kernels":
                check_options(f"{where}kernels", given, least=1, odd=True)
            case _:
                check_options(f"{where}{name}", given, least=0.01)


__all__ = ["MobileNetV3Space", "StageSpace", "mobilenet_v3_large", "mobilenet_v3_small"]
