"""What the spaces of all families share: where the image goes in, the sizes of stages, and how a network ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from nas.arch import IMAGE, Act, Arch, Builder
from nas.space import Choices, Choose, SearchSpace, record
from search_spaces.options import check_counts, check_options

Block = TypeVar("Block")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trunk:
    """The fields that every space begins with.

    Attributes:
        name: What the space is called in reports.
        image_channels: Channels of the image.
        classes: Length of the output.
        sizes_px: Input resolutions.
        stem_widths: Channels of the stem.
        stem_stride: Stride of the stem.
    """

    name: str
    image_channels: int
    classes: int
    sizes_px: tuple[int, ...]
    stem_widths: tuple[int, ...]
    stem_stride: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StageOptions:
    """What may vary in one stage. Options are listed from smallest to largest.

    Attributes:
        widths: Output channels of every block of the stage.
        depths: Number of blocks.
        stride: Stride of the first block.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    stride: int


class _Stage(Protocol):
    @property
    def depths(self) -> tuple[int, ...]: ...

    @property
    def stride(self) -> int: ...


def check_trunk(space: Trunk, least: Mapping[str, float], **counts: int) -> None:
    """Check what `Trunk` names, and options of the whole space.

    Args:
        space: Whose they are.
        least: Further fields of options, and what none of them may be below.
        counts: Further numbers that must be at least 1.

    Raises:
        InputError: An option list is empty, unsorted or out of range, or a number is below 1.
    """
    for key, bound in ({"sizes_px": 1, "stem_widths": 1} | dict(least)).items():
        check_options(f"{space.name}: {key}", getattr(space, key), least=bound)
    ends = {key: getattr(space, key) for key in ("image_channels", "classes", "stem_stride")}
    check_counts(space.name, **ends, **counts)


def check_stages(space: Trunk, stages: Sequence[_Stage], *, widths: str = "widths", least: int = 1) -> None:
    """Check widths, depths and strides of stages.

    Args:
        space: Whose they are.
        stages: Its stages.
        widths: Which field of a stage holds its widths.
        least: No width may be below.

    Raises:
        InputError: An option list is empty, unsorted or out of range, or a stride is below 1.
    """
    for i, stage in enumerate(stages):
        where = f"{space.name}: stages[{i}]"
        check_options(f"{where}.{widths}", getattr(stage, widths), least=least)
        check_options(f"{where}.depths", stage.depths, least=1)
        check_counts(where, stride=stage.stride)


def begin(space: Trunk, choose: Choose) -> Builder:
    """Choose the resolution of a network and begin it."""
    return Builder(size_px=int(choose("size_px", space.sizes_px)), image_channels=space.image_channels)


def write_stem(space: Trunk, net: Builder, choose: Choose, *, act: Act) -> tuple[str, str]:
    """Choose the stem's width and append the stem; returns its name and its width's."""
    width = net.width("stem", int(choose("stem.width", space.stem_widths)))
    return net.conv("stem", IMAGE, width, kernel=3, stride=space.stem_stride, act=act), width


def write_features(space: Trunk, net: Builder, choose: Choose, source: str, *, widths: Sequence[int], act: Act) -> Arch:
    """Append pooling, a linear layer of a width to choose (0: none) and the classifier."""
    x = net.pool("pool", source)
    features = int(choose("features.width", widths))
    if features:
        x = net.linear("features", x, net.width("features", features), act=act)
    return net.classify(x, classes=space.classes)


def pick(choose: Choose, name: str, blocks: Mapping[str, Block]) -> Block:
    """Choose among labels, as one categorical, and return what the chosen one stands for."""
    return blocks[str(choose(name, tuple(blocks)))]


def members(space: SearchSpace, choosers: Iterable[Choose]) -> tuple[Choices, ...]:
    """The choices that each chooser makes, without repetitions."""
    found: list[Choices] = []
    for choose in choosers:
        choices = record(space, choose)[1]
        if choices not in found:
            found.append(choices)
    return tuple(found)
