"""Small networks for tests: a space of inverted residuals, and one graph with every kind of op."""

from __future__ import annotations

from nas.arch import CLASSES, IMAGE, Act, Arch, Kind, Layer
from search_spaces.mobilenet_v3 import MobileNetV3Space, StageSpace

SPACE = MobileNetV3Space(
    name="tiny",
    image_channels=1,
    classes=10,
    sizes_px=(16,),
    stem_widths=(8, 16),
    stem_stride=2,
    stages=(
        StageSpace(widths=(8, 16), depths=(1, 2), stride=1),
        StageSpace(widths=(16, 24), depths=(1, 2, 3), stride=2),
    ),
    kernels=(3, 5, 7),
    expansions=(1, 2, 3),
    se=(False, True),
    acts=("relu", "hswish"),
    head_expansions=(1, 2),
    feature_widths=(16, 32),
)


def every_kind(half: int = 8, mid: int = 12, squeeze: int = 4) -> Arch:
    """A ShuffleNet-like graph that uses every kind of op, every activation and grouped, dilated, asymmetric kernels."""
    layers = (
        Layer(name="stem", kind=Kind.CONV, inputs=(IMAGE,), width="in", kernel=(3, 3), stride=2, act=Act.RELU6),
        Layer(name="left", kind=Kind.SLICE, inputs=("stem",), width="left"),
        Layer(name="right", kind=Kind.SLICE, inputs=("stem",), width="right", skip=("left",)),
        Layer(name="dilated", kind=Kind.CONV, inputs=("right",), width="mid", kernel=(3, 1), dilation=2, act=Act.SWISH),
        Layer(name="grouped", kind=Kind.CONV, inputs=("dilated",), width="mid", groups=4, kernel=(1, 3), act=Act.GELU),
        Layer(name="biased", kind=Kind.CONV, inputs=("grouped",), width="right", norm=False, act=Act.HSIGMOID),
        Layer(name="cat", kind=Kind.CONCAT, inputs=("left", "biased")),
        Layer(name="shuffle", kind=Kind.SHUFFLE, inputs=("cat",), groups=2),
        Layer(name="norm", kind=Kind.NORM, inputs=("shuffle",), act=Act.HSWISH),
        Layer(name="se", kind=Kind.SE, inputs=("norm",), squeeze="squeeze", act=Act.RELU, gate=Act.SIGMOID),
        Layer(name="max", kind=Kind.MAX_POOL, inputs=("se",), kernel=(3, 3), stride=2),
        Layer(name="avg", kind=Kind.AVG_POOL, inputs=("se",), kernel=(3, 3), stride=2),
        Layer(name="add", kind=Kind.ADD, inputs=("max", "avg"), act=Act.RELU),
        Layer(name="act", kind=Kind.ACT, inputs=("add",), act=Act.SIGMOID),
        Layer(name="pool", kind=Kind.GLOBAL_POOL, inputs=("act",)),
        Layer(name="features", kind=Kind.LINEAR, inputs=("pool",), width="features", act=Act.RELU),
        Layer(name="classifier", kind=Kind.LINEAR, inputs=("features",), width=CLASSES),
    )
    widths = {IMAGE: 3, "in": 2 * half, "left": half, "right": half, "mid": mid, "squeeze": squeeze, "features": 16}
    return Arch(layers=layers, widths={**widths, CLASSES: 5}, size_px=16)
