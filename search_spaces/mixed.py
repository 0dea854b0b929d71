"""Stages that choose their kind of block, so that a search finds out which block a device likes.

Seven kinds, each with the activation of the family it comes from. A stage has one kind, with its kernel and expansion,
in all its blocks; the next stage may have another. Layers of different kinds have different names and share no
weights: `nas.net.Supernet.of` holds all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, assert_never

from nas.arch import Act, Arch, Builder
from nas.errors import InputError
from nas.space import Choice, Choices, Choose, record
from search_spaces.blocks import (
    DepthwiseSeparable,
    FusedInvertedResidual,
    GhostBottleneck,
    InvertedResidual,
    make_divisible,
)
from search_spaces.options import check_options, check_words
from search_spaces.shufflenet_v2 import ShuffleUnit
from search_spaces.trunk import StageOptions, Trunk, begin, check_stages, check_trunk, pick, write_stem

SE_RATIO = 0.25
FUSED_KERNEL = 3  # a dense convolution costs as much as its kernel has pixels


class Block(StrEnum):
    """Kinds of blocks, in the order of their multiply-accumulates at equal channels."""

    SHUFFLE = "shuffle"  # ShuffleNetV2 unit, arXiv 1807.11164
    SEPARABLE = "separable"  # depthwise separable convolution of MobileNetV1, arXiv 1704.04861
    LCNET = "lcnet"  # the same with h-swish and squeeze-excite (PP-LCNet), arXiv 2109.15099
    GHOST = "ghost"  # ghost bottleneck, arXiv 1911.11907
    INVERTED = "inverted"  # inverted residual of MobileNetV2, arXiv 1801.04381
    MBCONV = "mbconv"  # the same with swish and squeeze-excite (EfficientNet), arXiv 1905.11946
    FUSED = "fused"  # FusedMBConv of EfficientNetV2, arXiv 2104.00298


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """A kind with its kernel and expansion; an expansion of 0: it has none."""

    block: Block
    kernel: int
    expansion: int

    @property
    def label(self) -> str:
        """What the decision shows: `ghost k5 e3`."""
        return f"{self.block} k{self.kernel}" + (f" e{self.expansion}" if self.expansion else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class MixedStage(StageOptions):
    """What may vary in one stage; its widths are even.

    Attributes:
        blocks: Kinds to choose from; empty means those of the space.
    """

    blocks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class MixedSpace(Trunk):
    """The space: a stem, stages, a 1x1 convolution, pooling and the classifier.

    Attributes:
        blocks: Kinds that a stage chooses from.
        kernels: Kernels of the depthwise convolutions.
        expansions: Channels inside a block over its input's, of the kinds that expand.
        head_widths: Channels of the last convolution.
        grain: Bottlenecks of squeeze-excites are multiples of it.

    Raises:
        InputError: An option list is empty, unsorted or out of range, or a kind of block is unknown.
    """

    stages: tuple[MixedStage, ...]
    blocks: tuple[str, ...]
    kernels: tuple[int, ...]
    expansions: tuple[int, ...]
    head_widths: tuple[int, ...]
    grain: int = 8

    def __post_init__(self) -> None:
        check_trunk(self, {"expansions": 2, "head_widths": 1}, grain=self.grain, stages=len(self.stages))
        check_stages(self, self.stages, least=2)
        check_options(f"{self.name}: kernels", self.kernels, least=1, odd=True)
        for i, stage in enumerate(self.stages):
            where = f"{self.name}: stages[{i}]"
            if any(width % 2 for width in stage.widths):
                raise InputError(f"{where}.widths = {list(stage.widths)} must be even: some blocks work on halves")
            check_words(f"{where}.blocks", stage.blocks or self.blocks, list(Block), what="kind of block")

    def build(self, choose: Choose) -> Arch:
        """Build one architecture."""
        net = begin(self, choose)
        x, width = write_stem(self, net, choose, act=Act.HSWISH)
        for i, stage in enumerate(self.stages):
            out = net.width(f"s{i}", int(choose(f"s{i}.width", stage.widths)))
            options = {option.label: option for option in self._options(stage)}
            option = pick(choose, f"s{i}.block", options)
            for j in range(int(choose(f"s{i}.depth", stage.depths))):
                place = _Place(f"s{i}.b{j}", x, width, out)
                x = self._write(net, option, place, stride=1 if j else stage.stride)
                width = out
        x = net.conv("head", x, net.width("head", int(choose("head.width", self.head_widths))), act=Act.HSWISH)
        return net.classify(net.pool("pool", x), classes=self.classes)

    def known(self) -> tuple[Choices, ...]:
        """The largest members with one kind of block in all stages, cheapest kind first, where all stages offer it."""
        offered = [stage.blocks or self.blocks for stage in self.stages]
        alike = [block for block in Block if all(block in blocks for blocks in offered)]
        return tuple(record(self, self._all_of(block))[1] for block in alike)

    def _all_of(self, block: Block) -> Choose:
        labels: Mapping[str, Choice] = {
            f"s{i}.block": [option.label for option in self._options(stage) if option.block is block][-1]
            for i, stage in enumerate(self.stages)
        }

        def choose(name: str, options: Sequence[Choice]) -> Choice:
            return labels.get(name, options[-1])

        return choose

    def _options(self, stage: MixedStage) -> list[Option]:
        """One categorical a stage, by kind, then expansion, then kernel."""
        return [
            Option(block=block, kernel=kernel, expansion=expansion)
            for block in Block
            if block in (stage.blocks or self.blocks)
            for expansion in (self.expansions if block in _EXPANDING else (0,))
            for kernel in ((FUSED_KERNEL,) if block is Block.FUSED else self.kernels)
        ]

    def _write(self, net: Builder, option: Option, place: _Place, *, stride: int) -> str:
        """Append a block under its kind's name."""
        block = self._block_of(option, in_channels=net.channels(place.in_width), stride=stride)
        in_width, out_width = place.in_width, place.out_width
        if option.block is Block.SHUFFLE:  # its widths are named by their half
            in_width, out_width = f"{in_width}.half", net.width(f"{out_width}.half", net.channels(out_width) // 2)
        return block.write(net, f"{place.name}.{option.block}", place.source, in_width, out_width)

    def _block_of(self, option: Option, *, in_channels: int, stride: int) -> _Block:
        kernel = option.kernel
        mid = make_divisible(option.expansion * in_channels, self.grain)
        squeeze = make_divisible(SE_RATIO * in_channels, self.grain)
        match option.block:
            case Block.SHUFFLE:
                return ShuffleUnit(kernel=kernel, act=Act.RELU, stride=stride)
            case Block.SEPARABLE:
                return DepthwiseSeparable(kernel=kernel, act=Act.RELU, stride=stride)
            case Block.LCNET:
                return DepthwiseSeparable(kernel=kernel, act=Act.HSWISH, stride=stride, squeeze=squeeze)
            case Block.GHOST:
                return GhostBottleneck(kernel=kernel, ghost_kernel=kernel, mid=mid, squeeze=0, stride=stride)
            case Block.INVERTED:
                return InvertedResidual(kernel=kernel, mid=mid, squeeze=0, act=Act.RELU6, stride=stride)
            case Block.MBCONV:
                return InvertedResidual(
                    kernel=kernel,
                    mid=mid,
                    squeeze=squeeze,
                    act=Act.SWISH,
                    stride=stride,
                    squeeze_act=Act.SWISH,
                    gate=Act.SIGMOID,
                )
            case Block.FUSED:
                return FusedInvertedResidual(kernel=kernel, mid=mid, act=Act.SWISH, stride=stride)
            case _:
                assert_never(option.block)


class _Place(NamedTuple):
    """Where a block goes: its name, the layer it reads, and the names of its input's and output's widths."""

    name: str
    source: str
    in_width: str
    out_width: str


class _Block(Protocol):
    def write(self, net: Builder, name: str, source: str, in_width: str, out_width: str, /) -> str: ...


_EXPANDING = (Block.GHOST, Block.INVERTED, Block.MBCONV, Block.FUSED)
