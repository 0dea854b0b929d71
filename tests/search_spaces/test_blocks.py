import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.arch import IMAGE, Act, Builder, Kind
from search_spaces.blocks import InvertedResidual, make_divisible


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
