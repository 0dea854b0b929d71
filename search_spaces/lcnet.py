"""PP-LCNet: depthwise separable convolutions tuned for Intel CPUs (arXiv 2109.15099).

h-swish everywhere, 5x5 kernels and squeeze-excite only near the end, and a 1280 wide layer after the pooling. Counts
are timm's and PaddleClas's (which counts batch norm and activations as well).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder
from nas.space import Choice, Choices, Choose
from search_spaces.blocks import DepthwiseSeparable
from search_spaces.options import check_options, check_words, nearest
from search_spaces.strides import early_ones, scaled
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

STEM, FEATURES = 16, 1280
STAGES = (  # channels, stride, and (kernel, SE) of each unit
    (32, 1, ((3, False),)),
    (64, 2, ((3, False), (3, False))),
    (128, 2, ((3, False), (3, False))),
    (256, 2, ((3, False), *((5, False),) * 5)),
    (512, 2, ((5, True), (5, True))),
)
SE_DIVISOR = 4
WIDTHS = (0.25, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5)


def pp_lcnet(
    *, width: float = 1.0, size_px: int = 224, image_channels: int = 3, classes: int = 1000, total_stride: int = 32
) -> Arch:
    """PP-LCNet.

    Args:
        width: Width multiplier; channels are rounded to multiples of 8.
        size_px: Height of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: The width leaves no channel, the total stride does not exist, or the image is too small for it.
    """
    designed = (2, *(stride for _, stride, _ in STAGES))
    strides = early_ones(designed, total_stride=total_stride, size_px=size_px)
    net = Builder(size_px=size_px, image_channels=image_channels)
    in_width = net.width("stem", scaled(STEM, width))
    x = net.conv("stem", IMAGE, in_width, kernel=3, stride=strides[0], act=Act.HSWISH)
    for i, (channels, _, units) in enumerate(STAGES):
        for j, (kernel, se) in enumerate(units):
            stride = 1 if j else strides[i + 1]
            out_width = net.width(f"s{i}.b{j}", scaled(channels, width))
            x = _unit(net, x, in_width, out_width, kernel=kernel, se=se, act=Act.HSWISH, stride=stride)
            in_width = out_width
    x = net.linear("features", net.pool("pool", x), net.width("features", FEATURES), act=Act.HSWISH)
    return net.classify(x, classes=classes)


def _unit(
    net: Builder, source: str, in_width: str, out_width: str, *, kernel: int, se: bool, act: Act, stride: int
) -> str:
    """A unit under its output's name: each has a width of its own, for nothing is added to it."""
    squeeze = max(1, net.channels(in_width) // SE_DIVISOR) if se else 0
    block = DepthwiseSeparable(kernel=kernel, stride=stride, act=act, squeeze=squeeze)
    return block.write(net, out_width, source, in_width, out_width)


MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {f"pp_lcnet_{width}": partial(pp_lcnet, width=width) for width in WIDTHS}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LCNetSpace(Trunk):
    """The space: a stem, stages of units, pooling, a linear layer and the classifier.

    Attributes:
        kernels, se: Options of each unit: where large kernels and squeeze-excite go.
        acts: Activation of the whole network.
        feature_widths: Channels of the linear layer before the classifier; 0 for none.

    Raises:
        InputError: An option list is empty, unsorted or out of range.
    """

    stages: tuple[StageOptions, ...]
    kernels: tuple[int, ...]
    se: tuple[bool, ...]
    acts: tuple[str, ...]
    feature_widths: tuple[int, ...]

    def __post_init__(self) -> None:
        check_trunk(self, {"se": 0, "feature_widths": 0}, stages=len(self.stages))
        check_stages(self, self.stages)
        check_options(f"{self.name}: kernels", self.kernels, least=1, odd=True)
        check_words(f"{self.name}: acts", self.acts, list(Act), what="activation")

    def build(self, choose: Choose) -> Arch:
        """Build one architecture."""
        net = begin(self, choose)
        act = Act(str(choose("act", self.acts)))
        x, in_width = write_stem(self, net, choose, act=act)
        units = self._units()
        for i, stage in enumerate(self.stages):
            channels = int(choose(f"s{i}.width", stage.widths))
            for j in range(int(choose(f"s{i}.depth", stage.depths))):
                kernel, se = pick(choose, f"s{i}.b{j}", units)
                out_width = net.width(f"s{i}.b{j}", channels)
                stride = 1 if j else stage.stride
                x = _unit(net, x, in_width, out_width, kernel=kernel, se=se, act=act, stride=stride)
                in_width = out_width
        return write_features(self, net, choose, x, widths=self.feature_widths, act=act)

    def known(self) -> tuple[Choices, ...]:
        """The members nearest to PP-LCNet at its widths, widest first, where the stages have its strides."""
        if [stage.stride for stage in self.stages] != [stride for _, stride, _ in STAGES]:
            return ()
        return members(self, map(self._like, reversed(WIDTHS)))

    def _like(self, width: float) -> Choose:
        units = self._units()

        def choose(name: str, options: Sequence[Choice]) -> Choice:
            part, _, of = name.partition(".")
            if name == "act":
                return Act.HSWISH if Act.HSWISH in options else options[-1]
            if not of:
                return options[-1]  # the largest resolution
            if not part[1:].isdigit():
                return nearest(options, STEM * width if part == "stem" else FEATURES)
            channels, _, designed = STAGES[int(part[1:])]
            if of in ("width", "depth"):
                return nearest(options, channels * width if of == "width" else len(designed))
            kernel, se = designed[min(int(of[1:]), len(designed) - 1)]
            return min(units, key=lambda label: (units[label][1] != se, abs(units[label][0] - kernel)))

        return choose

    def _units(self) -> dict[str, tuple[int, bool]]:
        """One categorical a unit: label -> (kernel, SE), the last one the largest in both."""
        return {f"k{kernel} {'se' if se else '-'}": (kernel, se) for kernel in self.kernels for se in self.se}
