"""The builder writes the layers that its methods name, with their options."""

from __future__ import annotations

import pytest

from nas.arch import IMAGE, Act, Arch, Builder, Kind, Layer, cost
from nas.errors import InputError


def builder(*, size_px: int = 8, channels: int = 4) -> tuple[Builder, str]:
    net = Builder(size_px=size_px, image_channels=3)
    return net, net.conv("stem", IMAGE, net.width("w", channels), kernel=3)


def last(arch: Arch):
    return arch.ops()[-1]


def test_windows_take_one_number_or_two():
    net, stem = builder()
    net.conv("a", stem, "w", kernel=(1, 7), padding=(0, 3), dilation=1)
    net.conv("b", "a", "w", kernel=3, dilation=2)
    net.depthwise("c", "b", kernel=(5, 1))
    arch = net.finish()
    assert [op.kernel for op in arch.ops()[1:]] == [(1, 7), (3, 3), (5, 1)]
    assert [op.padding for op in arch.ops()[1:]] == [(0, 3), (2, 2), (2, 0)]


@pytest.mark.parametrize(("norm", "bias", "extra"), [(True, True, 8), (False, True, 4), (False, False, 0)])
def test_a_convolution_has_a_norm_a_bias_or_neither(norm, bias, extra):
    net, stem = builder()
    net.conv("a", stem, "w", kernel=3, norm=norm, bias=bias)
    assert cost(net.finish()).params == 4 * 3 * 9 + 8 + 4 * 4 * 9 + extra


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_may_lack_its_bias(bias):
    net, stem = builder(size_px=1)
    net.linear("fc", stem, net.width("out", 5), bias=bias)
    assert cost(net.finish()).params == 4 * 3 * 9 + 8 + 5 * 4 + 5 * bias


def test_channels_of_concat_slice_and_shuffle():
    net, stem = builder()
    wide = net.shuffle("shuffle", net.concat("cat", stem, IMAGE, stem), groups=11)
    net.slice("tail", wide, net.width("rest", 7), skip=("w",))
    op = last(net.finish())
    assert (op.in_channels, op.begin, op.out_channels) == (11, 4, 7)


def test_norms_acts_and_sums_carry_their_activation():
    net, stem = builder()
    net.residual("sum", stem, net.act("act", net.norm("norm", stem, act=Act.RELU), Act.TANH), act=Act.LEAKY_RELU)
    assert [op.act for op in net.finish().ops()[1:]] == [Act.RELU, Act.TANH, Act.LEAKY_RELU]


@pytest.mark.parametrize(
    ("size_px", "kernel", "stride", "padding", "ceil", "out_px"),
    [
        (112, 3, 2, 0, False, 55),
        (112, 3, 2, 0, True, 56),
        (111, 3, 2, 0, True, 55),
        (112, 3, 2, None, True, 57),
        (14, 2, 2, 0, True, 7),
        (5, 1, 4, 1, True, 2),
        (2, 3, 2, 0, True, 1),
    ],
)
def test_windows_may_reach_past_the_end(size_px, kernel, stride, padding, ceil, out_px):  # noqa: PLR0917
    net, stem = builder(size_px=size_px)
    net.max_pool("pool", stem, kernel=kernel, stride=stride, padding=padding, ceil=ceil)
    op = last(net.finish())
    assert op.out_px == out_px
    assert op.ceil == (max(op.past_end) > 0)


def test_ceil_that_changes_nothing_is_no_other_op():
    ops = []
    for ceil in (False, True):
        net, stem = builder(size_px=13)
        net.max_pool("pool", stem, kernel=3, stride=2, padding=0, ceil=ceil)
        ops.append(net.finish().ops())
    assert ops[0] == ops[1]


def test_average_pools_count_their_padding_or_not():
    net, stem = builder()
    net.avg_pool("a", stem, kernel=3, counts_padding=False)
    net.avg_pool("b", stem, kernel=2, stride=2, padding=0, counts_padding=False)
    assert [op.counts_padding for op in net.finish().ops()[1:]] == [False, True]


def test_a_network_may_end_without_a_classifier():
    net, stem = builder()
    assert last(net.finish()).kind is Kind.CONV
    net.pool("pool", stem)
    assert last(net.finish()).kind is Kind.GLOBAL_POOL


def test_only_max_pools_have_ceil():
    layer = Layer(name="a", kind=Kind.AVG_POOL, inputs=(IMAGE,), ceil=True)
    with pytest.raises(InputError, match="'ceil' is for max pools"):
        Arch(layers=(layer,), widths={IMAGE: 3}, size_px=4)
