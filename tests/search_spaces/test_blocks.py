import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.arch import IMAGE, Act, Builder, Kind
from search_spaces.blocks import (
    DepthwiseSeparable,
    FusedInvertedResidual,
    GhostBottleneck,
    InvertedResidual,
    SqueezeStyle,
    make_divisible,
)


@given(st.floats(0.1, 4000), st.sampled_from([4, 8, 16]))
def test_rounding_keeps_the_multiple_and_nine_tenths(channels, divisor):
    rounded = make_divisible(channels, divisor)
    assert rounded % divisor == 0
    assert rounded >= max(divisor, 0.9 * channels)
    assert rounded <= channels + divisor


@pytest.mark.parametrize(
    ("mid", "squeeze", "stride", "out", "kinds"),
    [
        (16, 0, 1, "in", ["conv", "conv", "add"]),
        (48, 8, 1, "in", ["conv", "conv", "se", "conv", "add"]),
        (48, 0, 2, "in", ["conv", "conv", "conv"]),
        (48, 0, 1, "out", ["conv", "conv", "conv"]),
    ],
)
def test_layers_of_an_inverted_residual(mid, squeeze, stride, out, kinds):
    net = Builder(size_px=8, image_channels=3)
    net.width("out", 24)
    source = net.conv("stem", IMAGE, net.width("in", 16))
    block = InvertedResidual(kernel=5, mid=mid, squeeze=squeeze, act=Act.HSWISH, stride=stride)
    arch = net.classify(block.write(net, "b", source, "in", out), classes=2)
    assert [layer.kind for layer in arch.layers[1:-1]] == [Kind(kind) for kind in kinds]
    assert [op.act for op in arch.ops() if op.depthwise] == [Act.HSWISH]


BLOCKS = {
    "separable": DepthwiseSeparable(kernel=3, stride=1, act=Act.RELU),
    "separable se": DepthwiseSeparable(kernel=3, stride=1, act=Act.RELU, squeeze=4),
    "fused": FusedInvertedResidual(kernel=3, mid=48, act=Act.SWISH, stride=1),
    "fused se": FusedInvertedResidual(kernel=3, mid=48, act=Act.SWISH, stride=1, squeeze=8),
    "fused alone": FusedInvertedResidual(kernel=3, mid=16, act=Act.SWISH, stride=1),
    "ghost": GhostBottleneck(kernel=5, mid=48, squeeze=0, stride=1),
    "ghost se": GhostBottleneck(kernel=5, mid=48, squeeze=8, stride=1),
}
GHOST = ["conv", "conv", "concat"]
KINDS = {
    "separable": ["conv", "conv"],
    "separable se": ["conv", "se", "conv"],
    "fused": ["conv", "conv"],
    "fused se": ["conv", "se", "conv"],
    "fused alone": ["conv"],
    "ghost": [*GHOST, *GHOST],
    "ghost se": [*GHOST, "se", *GHOST],
}


def written(block, *, out="in"):
    net = Builder(size_px=8, image_channels=3)
    net.width("out", 24)
    source = net.conv("stem", IMAGE, net.width("in", 16))
    return net.classify(block.write(net, "b", source, "in", out), classes=2)


@pytest.mark.parametrize("name", BLOCKS)
def test_layers_of_a_block_of_equal_widths(name):
    sums = [] if name.startswith("separable") else ["add"]
    kinds = [layer.kind for layer in written(BLOCKS[name]).layers[1:-1]]
    assert kinds == [Kind(kind) for kind in KINDS[name] + sums]


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_makes_the_width_it_is_told(name):
    arch = written(BLOCKS[name], out="out")
    assert arch.ops()[-1].in_channels == 24
    kinds = [layer.kind for layer in arch.layers[1:-1]]
    shortcut = ["conv", "conv", "add"] if name.startswith("ghost") else []
    assert kinds == [Kind(kind) for kind in KINDS[name] + shortcut]


def test_a_ghost_bottleneck_with_a_stride_convolves_its_shortcut():
    arch = written(GhostBottleneck(kernel=5, mid=32, squeeze=0, stride=2))
    strided = [layer.name for layer, op in zip(arch.layers, arch.ops(), strict=True) if op.stride == 2]
    assert strided == ["b.depthwise", "b.shortcut.depthwise"]


def test_styles_of_squeeze_excite():
    assert SqueezeStyle().channels(in_channels=40, mid=240) == 64
    assert SqueezeStyle(of_input=True).channels(in_channels=40, mid=240) == 10
    assert SqueezeStyle(of_input=True).channels(in_channels=1, mid=6) == 1
