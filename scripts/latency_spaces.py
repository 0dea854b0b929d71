"""The search spaces that `benchmark_latency.py` measures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas.arch import CLASSES, IMAGE, Act, Arch, Builder
from nas.space import Choose, SearchSpace
from search_spaces.mobilenet_v3 import MobileNetV3Space, StageSpace

GRAIN = 8  # channels
NARROWEST = 0.5  # of a width, where widths are random
CLASSES_OF_IMAGENET = 1000
STRIDES = {24: 2, 40: 2, 80: 2, 112: 1, 160: 2}  # channels of a stage -> stride of its first block


def fixed_space() -> MobileNetV3Space:
    """MobileNetV3-like networks of 224 px and fixed widths, 120 to 460 million MACs, about 210 kernels."""
    first = StageSpace(widths=(16,), depths=(1,), stride=1, expansions=(1.0,))
    return MobileNetV3Space(
        name="benchmark_224px",
        image_channels=3,
        classes=CLASSES_OF_IMAGENET,
        sizes_px=(224,),
        stem_widths=(16,),
        stem_stride=2,
        stages=(
            first,
            *(
                StageSpace(widths=(width,), depths=(2, 3, 4) if width > 24 else (2, 3), stride=stride)
                for width, stride in STRIDES.items()
            ),
        ),
        kernels=(3, 5),
        expansions=(3.0, 4.0, 6.0),
        se=(False, True),
        acts=("relu", "hswish"),
        head_expansions=(6.0,),
        feature_widths=(1280,),
    )


def spaces_of_keys() -> tuple[MobileNetV3Space, ...]:
    """The 224 px space with about 100, 300 and 1,000 different kernels."""
    whole = fixed_space()
    wide = tuple(replace(stage, widths=_around(stage.widths[0])) for stage in whole.stages[1:])
    middle = replace(whole, name="keys_300", kernels=(3, 5, 7), expansions=(2.0, 3.0, 4.0, 6.0))
    return (
        replace(whole, name="keys_100", acts=("relu",), expansions=(3.0, 6.0)),
        middle,
        replace(middle, name="keys_1000", stages=(whole.stages[0], *wide)),
    )


def _around(channels: int) -> tuple[int, ...]:
    """From half to five quarters of a width, in whole grains."""
    return tuple(dict.fromkeys(channels * quarters // 4 // GRAIN * GRAIN for quarters in (2, 3, 4, 5)))


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomWidths:
    """A space whose every width may be any multiple of 8 from half of what it was, as trimming makes them."""

    inner: SearchSpace

    @property
    def name(self) -> str:
        """Name of the space in reports."""
        return f"{self.inner.name}_widths"

    def build(self, choose: Choose) -> Arch:
        """Build one architecture."""
        arch = self.inner.build(choose)
        names = [name for name in arch.widths if name not in (IMAGE, CLASSES)]
        return arch.with_widths({name: int(choose(f"{name}.channels", _below(arch.widths[name]))) for name in names})


def _below(channels: int) -> Sequence[int]:
    least = max(1, math.ceil(NARROWEST * channels / GRAIN))
    return range(GRAIN * least, channels + 1, GRAIN) or (channels,)


@dataclass(frozen=True, kw_only=True, slots=True)
class EfficientNetSpace:
    """EfficientNet-like networks (arXiv 1905.11946): swish and squeeze-excite everywhere.

    Attributes:
        stages: Output channels, stride of the first block, depths.
    """

    name: str = "benchmark_efficientnet"
    size_px: int = 224
    stages: Sequence[tuple[int, int, tuple[int, ...]]] = (
        (24, 2, (1, 2)),
        (40, 2, (1, 2)),
        (80, 2, (2, 3)),
        (112, 1, (2, 3)),
        (192, 2, (2, 3, 4)),
    )
    kernels: tuple[int, ...] = (3, 5)
    expansions: tuple[int, ...] = (4, 6)

    def build(self, choose: Choose) -> Arch:
        """Build one architecture."""
        net = Builder(size_px=self.size_px, image_channels=3)
        width = net.width("stem", 32)
        x = net.conv("stem", IMAGE, width, kernel=3, stride=2, act=Act.SWISH)
        for i, (channels, stride, depths) in enumerate(self.stages):
            out = net.width(f"s{i}", channels)
            for j in range(int(choose(f"s{i}.depth", depths))):
                name = f"s{i}.b{j}"
                kernel = int(choose(f"{name}.kernel", self.kernels))
                mid = net.width(f"{name}.mid", int(choose(f"{name}.expansion", self.expansions)) * net.channels(width))
                block = _MobileBlock(kernel=kernel, stride=stride if j == 0 else 1, mid=mid)
                x, width = block.write(net, name, x, width, out), out
        x = net.pool("pool", net.conv("head", x, net.width("head", 1280), act=Act.SWISH))
        return net.classify(x, classes=CLASSES_OF_IMAGENET)


@dataclass(frozen=True, kw_only=True, slots=True)
class _MobileBlock:
    """An inverted residual with swish and a squeeze to a quarter of its input's channels; `mid` is a width's name."""

    kernel: int
    stride: int
    mid: str

    def write(self, net: Builder, name: str, source: str, in_width: str, out_width: str) -> str:
        """Append the block; return its last layer."""
        x = net.conv(f"{name}.expand", source, self.mid, act=Act.SWISH)
        x = net.depthwise(f"{name}.depthwise", x, kernel=self.kernel, stride=self.stride, act=Act.SWISH)
        squeeze = net.width(f"{name}.squeeze", net.channels(in_width) // 4)
        x = net.squeeze_excite(f"{name}.se", x, squeeze, act=Act.SWISH, gate=Act.SIGMOID)
        x = net.conv(f"{name}.project", x, out_width)
        return net.residual(f"{name}.sum", source, x) if in_width == out_width and self.stride == 1 else x
