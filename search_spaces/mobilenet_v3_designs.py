"""The hand-designed MobileNetV3-Large and Small (arXiv 1905.02244, tables 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence

from nas.arch import IMAGE, Act, Arch, Builder
from search_spaces.blocks import InvertedResidual, make_divisible

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


def mobilenet_v3_large(**options: float) -> Arch:
    """MobileNetV3-Large; options as for `mobilenet_v3_small`."""
    return _hand_designed(LARGE, features=1280, **options)


def mobilenet_v3_small(**options: float) -> Arch:
    """MobileNetV3-Small.

    Args:
        **options: `width` (multiplier, 1.0), `size_px` (224), `image_channels` (3), `classes` (1000),
            `stem_stride` (2).
    """
    return _hand_designed(SMALL, features=1024, **options)


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
