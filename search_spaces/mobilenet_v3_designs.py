"""The hand-designed MobileNetV3-Large and Small (arXiv 1905.02244, tables 1 and 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder
from search_spaces.blocks import InvertedResidual
from search_spaces.strides import early_ones, make_divisible, scaled

SE_RATIO = 0.25
Row = tuple[int, int, int, bool, bool, int]  # kernel, expansion channels, output channels, SE, h-swish, stride
LARGE = (
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
SMALL = (
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

ENDS = {"stem": 16.0, "head": 6.0, "features": 1280.0}  # channels, expansion, channels


def stages_of(table: Sequence[Row]) -> list[list[Row]]:
    """The rows of each stage: what follows without a stride at the same width belongs together."""
    stages: list[list[Row]] = []
    for row in table:
        if stages and row[5] == 1 and row[2] == stages[-1][0][2]:
            stages[-1].append(row)
        else:
            stages.append([row])
    return stages


def mobilenet_v3_large(
    *,
    width: float = 1.0,
    minimal: bool = False,
    size_px: int = 224,
    image_channels: int = 3,
    classes: int = 1000,
    total_stride: int = 32,
) -> Arch:
    """MobileNetV3-Large; arguments and errors as for `mobilenet_v3_small`."""
    net = _Design(table=LARGE, features=1280, width=width, minimal=minimal, total_stride=total_stride)
    return net.build(size_px=size_px, image_channels=image_channels, classes=classes)


def mobilenet_v3_small(
    *,
    width: float = 1.0,
    minimal: bool = False,
    size_px: int = 224,
    image_channels: int = 3,
    classes: int = 1000,
    total_stride: int = 32,
) -> Arch:
    """MobileNetV3-Small.

    Args:
        width: Width multiplier of all but the linear layer before the classifier; channels are multiples of 8.
        minimal: With 3x3 kernels and ReLU only, and without squeeze-excite: for devices that do badly at the others.
        size_px: Height of the image, pixels.
        image_channels: Channels of the image.
        classes: Length of the output.
        total_stride: Image over last feature map; below 32 the earliest strides become 1.

    Raises:
        InputError: The width leaves no channel, the total stride does not exist, or the image is too small for it.
    """
    net = _Design(table=SMALL, features=1024, width=width, minimal=minimal, total_stride=total_stride)
    return net.build(size_px=size_px, image_channels=image_channels, classes=classes)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Design:
    """A table and what is done to it."""

    table: Sequence[Row]
    features: int
    width: float
    minimal: bool
    total_stride: int

    def build(self, *, size_px: int, image_channels: int, classes: int) -> Arch:
        designed = (2, *(row[5] for row in self.table))
        strides = early_ones(designed, total_stride=self.total_stride, size_px=size_px)
        act = self._act(hswish=True)
        net = Builder(size_px=size_px, image_channels=image_channels)
        in_width = net.width("stem", scaled(ENDS["stem"], self.width))
        x = net.conv("stem", IMAGE, in_width, kernel=3, stride=strides[0], act=act)
        stage, in_table = -1, ENDS["stem"]
        for i, row in enumerate(self.table):
            channels = scaled(row[2], self.width)
            shared = row[5] == 1 and channels == net.channels(in_width)
            if not shared:
                stage += 1
            out_width = in_width if shared else net.width(f"s{stage}", channels)
            block = self._block(row, mid=row[1] / in_table * net.channels(in_width), stride=strides[i + 1])
            x, in_width = block.write(net, f"b{i}", x, in_width, out_width), out_width
            in_table = row[2]
        head = scaled(ENDS["head"] * self.table[-1][2], self.width)
        x = net.conv("head", x, net.width("head", head), act=act)
        x = net.linear("features", net.pool("pool", x), net.width("features", self.features), act=act)
        return net.classify(x, classes=classes)

    def _block(self, row: Row, *, mid: float, stride: int) -> InvertedResidual:
        kernel, _, _, se, hswish, _ = row
        inside = make_divisible(mid)
        return InvertedResidual(
            kernel=3 if self.minimal else kernel,
            mid=inside,
            squeeze=make_divisible(inside * SE_RATIO) if se and not self.minimal else 0,
            act=self._act(hswish=hswish),
            stride=stride,
        )

    def _act(self, *, hswish: bool) -> Act:
        return Act.HSWISH if hswish and not self.minimal else Act.RELU


_BUILDERS = (("large", mobilenet_v3_large), ("small", mobilenet_v3_small))
MEMBERS: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {f"mobilenet_v3_{size}_{width}": partial(build, width=width) for size, build in _BUILDERS for width in (0.75, 1.0)}
    | {f"mobilenet_v3_{size}_minimal_1.0": partial(build, minimal=True) for size, build in _BUILDERS}
)
