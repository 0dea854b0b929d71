import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.arch import CLASSES, IMAGE, Act, Arch, Kind, Layer, digest

SEEDS = st.integers(0, 10_000)


def layer(name, kind, *inputs, **options):
    return Layer(name=name, kind=kind, inputs=inputs, **options)


def network(*layers):
    return Arch(layers=layers, widths={IMAGE: 4, "w": 8, "v": 8, "half": 4, "q": 2, CLASSES: 10}, size_px=8)


STEM = layer("stem", Kind.CONV, IMAGE, width="w", kernel=(3, 3))


def renamed(arch, rename):
    layers = tuple(
        dataclasses.replace(
            item,
            name=rename(item.name),
            inputs=tuple(name if name == IMAGE else rename(name) for name in item.inputs),
            width=item.width and (CLASSES if item.width == CLASSES else rename(item.width)),
            squeeze=item.squeeze and rename(item.squeeze),
        )
        for item in arch.layers
    )
    widths = {name if name in {IMAGE, CLASSES} else rename(name): count for name, count in arch.widths.items()}
    return Arch(layers=layers, widths=widths, size_px=arch.size_px)


@given(SEEDS)
def test_names_leave_no_trace(random_arch, seed):
    arch = random_arch(seed)
    assert digest(renamed(arch, lambda name: f"x{name[::-1]}")) == digest(arch)


@given(SEEDS, SEEDS)
def test_equal_digests_mean_equal_ops(random_arch, seed, other):
    one, two = random_arch(seed), random_arch(other)
    assert (digest(one) == digest(two)) == (one.ops() == two.ops())


@given(SEEDS, st.data())
def test_any_changed_width_shows(random_arch, seed, data):
    arch = random_arch(seed)
    name = data.draw(st.sampled_from(sorted(arch.widths)))
    assert digest(arch.with_widths({name: arch.widths[name] + 1})) != digest(arch)


@pytest.mark.parametrize(
    "change",
    [
        {"act": Act.RELU},
        {"kernel": (5, 5)},
        {"stride": 2},
        {"dilation": 2},
        {"groups": 2},
        {"norm": False},
        {"padding": (2, 2)},
        {"norm": False, "bias": False},
    ],
)
def test_a_changed_op_shows(change):
    assert digest(network(dataclasses.replace(STEM, **change))) != digest(network(STEM))


def test_order_of_independent_layers_and_of_summands_leaves_no_trace():
    a, b = layer("a", Kind.CONV, "stem", width="w"), layer("b", Kind.CONV, "stem", width="w", kernel=(3, 3))
    one = network(STEM, a, b, layer("sum", Kind.ADD, "a", "b"))
    assert digest(network(STEM, b, a, layer("sum", Kind.ADD, "a", "b"))) == digest(one)
    assert digest(network(STEM, a, b, layer("sum", Kind.ADD, "b", "a"))) == digest(one)


def test_order_of_a_concat_shows():
    a, b = layer("a", Kind.CONV, "stem", width="w"), layer("b", Kind.CONV, "stem", width="w", kernel=(3, 3))
    one, two = (network(STEM, a, b, layer("cat", Kind.CONCAT, *order)) for order in (("a", "b"), ("b", "a")))
    assert digest(one) != digest(two)


def test_layers_that_do_not_reach_the_output_leave_no_trace():
    tail = layer("tail", Kind.CONV, "stem", width="w")
    assert digest(network(STEM, layer("dead", Kind.MAX_POOL, "stem"), tail)) == digest(network(STEM, tail))


@pytest.mark.parametrize(
    "nothing",
    [
        layer("x", Kind.ACT, "stem"),
        layer("x", Kind.SHUFFLE, "stem"),
        layer("x", Kind.SHUFFLE, "stem", groups=8),
        layer("x", Kind.CONCAT, "stem"),
        layer("x", Kind.ADD, "stem"),
        layer("x", Kind.SLICE, "stem", width="w"),
        layer("x", Kind.AVG_POOL, "stem"),
    ],
)
def test_layers_that_do_nothing_leave_no_trace(nothing):
    end = layer("end", Kind.CONV, "x", width="v")
    assert digest(network(STEM, nothing, end)) == digest(network(STEM, dataclasses.replace(end, inputs=("stem",))))


@pytest.mark.parametrize(
    "something",
    [
        layer("x", Kind.ACT, "stem", act=Act.RELU),
        layer("x", Kind.SHUFFLE, "stem", groups=2),
        layer("x", Kind.ADD, "stem", act=Act.RELU),
        layer("x", Kind.CONCAT, "stem", act=Act.RELU),
        layer("x", Kind.SLICE, "stem", width="half"),
        layer("x", Kind.AVG_POOL, "stem", padding=(1, 1)),
        layer("x", Kind.NORM, "stem"),
        layer("x", Kind.SE, "stem", squeeze="q", act=Act.RELU, gate=Act.HSIGMOID),
    ],
)
def test_layers_that_do_something_show(something):
    end = layer("end", Kind.CONV, "x", width="v")
    assert digest(network(STEM, something, end)) != digest(network(STEM, dataclasses.replace(end, inputs=("stem",))))


def test_a_shared_result_differs_from_one_computed_twice():
    a, b = layer("a", Kind.CONV, "stem", width="w"), layer("b", Kind.CONV, "stem", width="w")
    shared = network(STEM, a, layer("sum", Kind.ADD, "a", "a"))
    twice = network(STEM, a, b, layer("sum", Kind.ADD, "a", "b"))
    assert digest(shared) != digest(twice)


def test_a_biasless_convolution_differs_from_one_with_a_bias():
    one, two = (network(dataclasses.replace(STEM, norm=False, bias=bias)) for bias in (True, False))
    assert digest(one) != digest(two)


@pytest.mark.parametrize(
    ("kind", "change"), [(Kind.MAX_POOL, {"ceil": True}), (Kind.AVG_POOL, {"counts_padding": False})]
)
def test_options_of_pools_show(kind, change):
    pool = layer("pool", kind, "stem", kernel=(3, 3), stride=2, padding=(1, 1))
    assert digest(network(STEM, dataclasses.replace(pool, **change))) != digest(network(STEM, pool))


def test_digests_do_not_change_with_the_version():
    assert digest(network(STEM)) == "e046a128f022a363"
    assert digest(network(dataclasses.replace(STEM, norm=False, act=Act.RELU))) == "d822aa16aea86167"


def test_depthwise_is_a_grouped_convolution():
    depthwise = layer("dw", Kind.CONV, "stem", kernel=(3, 3), depthwise=True)
    grouped = layer("dw", Kind.CONV, "stem", kernel=(3, 3), width="w", groups=8)
    assert digest(network(STEM, depthwise)) == digest(network(STEM, grouped))
