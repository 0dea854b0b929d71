"""The space of GhostNet-like networks: kernel of the ghosts, expansion and SE of each block, depth of each stage.

A stage has one width. Half of a ghost module's channels are pointwise, half depthwise, and the pointwise shortcut of a
stage's first block has no halves: in a narrower stage the two would keep different channels of the shared weights.
"""

from __future__ import annotations

from dataclasses import dataclass

from nas.arch import Act, Arch
from nas.errors import InputError
from nas.space import Choose
from search_spaces.blocks import GhostBottleneck, make_divisible
from search_spaces.options import check_counts, check_options
from search_spaces.trunk import Trunk, begin, check_trunk, pick, write_features, write_stem

SE_RATIO = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class GhostStage:
    """What may vary in one stage. Options are listed from smallest to largest.

    Attributes:
        width: Output channels of every block of the stage, even.
        depths: Number of blocks.
        stride: Stride of the first block.
        kernel: Kernel of the depthwise convolutions of the first block, where it has a stride, and of its shortcut.
    """

    width: int
    depths: tuple[int, ...]
    stride: int
    kernel: int = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class GhostNetSpace(Trunk):
    """The space: a stem, stages of ghost bottlenecks, a 1x1 convolution, pooling, a linear layer, the classifier.

    Attributes:
        kernels: Kernels that make the ghosts (d in the paper), of each block.
        expansions: Channels inside a block over those of its input, of each block.
        se: Whether a block squeezes and excites, of each block.
        head_widths: Channels of the last convolution.
        feature_widths: Channels of the linear layer before the classifier; (0,) for none.
        grain: Half the channels inside a block are multiples of it.

    Raises:
        InputError: An option list is empty, unsorted or out of range, or a width is odd.
    """

    stages: tuple[GhostStage, ...]
    kernels: tuple[int, ...]
    expansions: tuple[float, ...]
    se: tuple[bool, ...]
    head_widths: tuple[int, ...]
    feature_widths: tuple[int, ...]
    grain: int = 8

    def __post_init__(self) -> None:
        least = {"expansions": 0.01, "head_widths": 1, "se": 0, "feature_widths": 0}
        check_trunk(self, least, grain=self.grain)
        if 0 in self.feature_widths and len(self.feature_widths) > 1:
            raise InputError(
                f"{self.name}: feature_widths = {list(self.feature_widths)}: 0 (no linear layer) stands alone, because "
                "the classifier's weights would belong to two layers"
            )
        check_options(f"{self.name}: kernels", self.kernels, least=1, odd=True)
        for i, stage in enumerate(self.stages):
            where = f"{self.name}: stages[{i}]"
            check_options(f"{where}.depths", stage.depths, least=1)
            check_options(f"{where}.kernel", (stage.kernel,), least=1, odd=True)
            check_counts(where, width=stage.width, stride=stage.stride)
            if stage.width % 2:
                raise InputError(f"{where}.width = {stage.width} must be even: half of it are ghosts")

    def build(self, choose: Choose) -> Arch:
        """Build one architecture."""
        net = begin(self, choose)
        x, width = write_stem(self, net, choose, act=Act.RELU)
        for i, stage in enumerate(self.stages):
            out_width = net.width(f"s{i}", stage.width)
            for j in range(int(choose(f"s{i}.depth", stage.depths))):
                name, stride = f"s{i}.b{j}", 1 if j else stage.stride
                block = self._block(
                    choose, name=name, in_channels=net.channels(width), kernel=stage.kernel, stride=stride
                )
                x, width = block.write(net, name, x, width, out_width), out_width
        head = net.width("head", int(choose("head.width", self.head_widths)))
        x = net.conv("head", x, head, act=Act.RELU)
        return write_features(self, net, choose, x, widths=self.feature_widths, act=Act.RELU)

    def _block(self, choose: Choose, *, name: str, in_channels: int, kernel: int, stride: int) -> GhostBottleneck:
        """One categorical a block: kernel of the ghosts, expansion and SE, the last option the largest in all."""
        labels = {
            f"k{size} e{expansion:g} {'se' if se else '-'}": (size, expansion, se)
            for size in self.kernels
            for expansion in self.expansions
            for se in self.se
        }
        ghost_kernel, expansion, se = pick(choose, name, labels)
        half = make_divisible(expansion * in_channels / 2, self.grain)
        return GhostBottleneck(
            kernel=kernel,
            mid=2 * half,
            squeeze=make_divisible(2 * half * SE_RATIO, self.grain) if se else 0,
            stride=stride,
            ghost_kernel=ghost_kernel,
        )
