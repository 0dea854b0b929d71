"""The space of MobileNetV4-like networks: which depthwise convolutions a universal bottleneck has, and how wide it is.

With both it is the "extra depthwise" block, with the second alone MobileNetV2's, with the first alone ConvNeXt's, with
none a feed-forward network (arXiv 2404.10518).
"""

from __future__ import annotations

from dataclasses import dataclass

from nas.arch import Act, Arch
from nas.errors import InputError
from nas.space import Choose
from search_spaces.blocks import make_divisible
from search_spaces.mobilenet_v4 import UniversalBottleneck
from search_spaces.options import check_options
from search_spaces.trunk import StageOptions, Trunk, begin, check_stages, check_trunk, pick, write_stem

FEED_FORWARD = (0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class MobileNetV4Space(Trunk):
    """The space: a stem, stages of universal bottlenecks, a 1x1 convolution, pooling and the classifier.

    Attributes:
        first_kernels: Kernels of the depthwise convolution before the expansion, of each block; 0 for none.
        second_kernels: Kernels of the one behind it; 0 for none. A block with a stride has at least one of the two.
        expansions: Channels inside a block over its input's.
        head_widths: Channels of the last convolution.
        act: Activation everywhere.
        grain: Channels inside a block are multiples of it.

    Raises:
        InputError: An option list is empty, unsorted or out of range.
    """

    stages: tuple[StageOptions, ...]
    first_kernels: tuple[int, ...]
    second_kernels: tuple[int, ...]
    expansions: tuple[float, ...]
    head_widths: tuple[int, ...]
    act: Act = Act.RELU
    grain: int = 8

    def __post_init__(self) -> None:
        check_trunk(self, {"expansions": 0.01, "head_widths": 1}, grain=self.grain)
        check_stages(self, self.stages)
        for key in ("first_kernels", "second_kernels"):
            check_options(f"{self.name}: {key}", getattr(self, key))
            check_options(f"{self.name}: {key}", [size for size in getattr(self, key) if size] or [1], odd=True)
        if self.first_kernels == self.second_kernels == (0,):
            raise InputError(f"{self.name}: first_kernels and second_kernels = [0]: no block could see its neighbours")

    def build(self, choose: Choose) -> Arch:
        """Build one architecture."""
        net = begin(self, choose)
        x, width = write_stem(self, net, choose, act=self.act)
        for i, stage in enumerate(self.stages):
            out_width = net.width(f"s{i}", int(choose(f"s{i}.width", stage.widths)))
            for j in range(int(choose(f"s{i}.depth", stage.depths))):
                name, stride = f"s{i}.b{j}", 1 if j else stage.stride
                block = self._block(choose, name=name, in_channels=net.channels(width), stride=stride)
                x, width = block.write(net, name, x, width, out_width), out_width
        head = net.width("head", int(choose("head.width", self.head_widths)))
        return net.classify(net.pool("pool", net.conv("head", x, head, act=self.act)), classes=self.classes)

    def _block(self, choose: Choose, *, name: str, in_channels: int, stride: int) -> UniversalBottleneck:
        """One categorical a block: both kernels and the expansion, the last option the largest in all."""
        labels = {
            f"k{first}+{second} e{expansion:g}": (first, second, expansion)
            for first in self.first_kernels
            for second in self.second_kernels
            for expansion in self.expansions
            if stride == 1 or (first, second) != FEED_FORWARD
        }
        first, second, expansion = pick(choose, name, labels)
        mid = make_divisible(expansion * in_channels, self.grain)
        return UniversalBottleneck(first=first, second=second, mid=mid, stride=stride, act=self.act)
