"""Shapes and costs of blocks of other families, counted by hand."""

import csv
from pathlib import Path

import pytest

from nas.arch import IMAGE, Act, Arch, Kind, Layer, cost, op_macs, op_params, op_traffic_bytes
from search_spaces.mobilenet_v3 import mobilenet_v3_large, mobilenet_v3_small

ZOO = Path(__file__).parents[3] / "shared" / "data" / "zoo_reference.csv"
NAMED = {
    "mobilenet_v3_large_1.0": (mobilenet_v3_large, 1.0),
    "mobilenet_v3_large_0.75": (mobilenet_v3_large, 0.75),
    "mobilenet_v3_small_1.0": (mobilenet_v3_small, 1.0),
    "mobilenet_v3_small_0.75": (mobilenet_v3_small, 0.75),
}


def layer(name, kind, *inputs, **options):
    return Layer(name=name, kind=kind, inputs=inputs, **options)


def read(layers, widths, size_px):
    """Ops by layer name, and the costs of the network."""
    arch = Arch(layers=tuple(layers), widths=widths, size_px=size_px)
    return dict(zip([item.name for item in layers], arch.ops(), strict=True)), cost(arch)


@pytest.mark.parametrize("name", NAMED)
def test_published_costs(name):
    if not ZOO.exists():
        pytest.skip(f"{ZOO} is not here")
    with ZOO.open() as file:
        row = {row["name"]: row for row in csv.DictReader(file)}[name]
    build, width = NAMED[name]
    found = cost(build(width=width))
    assert found.params == int(row["params_exact"])
    assert found.macs == int(row["macs_conv_linear_224"])


def test_shufflenet_v2_unit():
    layers = [
        layer("left", Kind.SLICE, IMAGE, width="half"),
        layer("right", Kind.SLICE, IMAGE, width="half", skip=("half",)),
        layer("a", Kind.CONV, "right", width="half", act=Act.RELU),
        layer("b", Kind.CONV, "a", kernel=(3, 3), depthwise=True),
        layer("c", Kind.CONV, "b", width="half", act=Act.RELU),
        layer("cat", Kind.CONCAT, "left", "c"),
        layer("shuffle", Kind.SHUFFLE, "cat", groups=2),
    ]
    ops, found = read(layers, {IMAGE: 24, "half": 12}, 14)
    assert (ops["left"].begin, ops["right"].begin, ops["right"].out_channels) == (0, 12, 12)
    assert (ops["cat"].in_channels, ops["cat"].out_channels, ops["cat"].arity) == (24, 24, 2)
    assert (ops["shuffle"].out_channels, ops["shuffle"].groups) == (24, 2)
    assert ops["b"].depthwise
    assert found.macs == 14 * 14 * (12 * 12 + 12 * 9 + 12 * 12)
    assert found.params == (144 + 24) + (108 + 24) + (144 + 24)


def test_fire_module():
    layers = [
        layer("squeeze", Kind.CONV, IMAGE, width="squeeze", act=Act.RELU, norm=False),
        layer("e1", Kind.CONV, "squeeze", width="e1", act=Act.RELU, norm=False),
        layer("e3", Kind.CONV, "squeeze", width="e3", kernel=(3, 3), act=Act.RELU, norm=False),
        layer("cat", Kind.CONCAT, "e1", "e3"),
        layer("pool", Kind.MAX_POOL, "cat", kernel=(3, 3), stride=2, padding=(0, 0)),
    ]
    ops, found = read(layers, {IMAGE: 96, "squeeze": 16, "e1": 64, "e3": 48}, 55)
    assert ops["cat"].out_channels == 112
    assert (ops["pool"].in_px, ops["pool"].out_px) == (55, 27)
    assert found.params == (96 * 16 + 16) + (16 * 64 + 64) + (16 * 48 * 9 + 48)
    assert found.macs == 55 * 55 * (96 * 16 + 16 * 64 + 16 * 48 * 9)


def test_densenet_block():
    layers = [
        layer("n1", Kind.NORM, IMAGE, act=Act.RELU),
        layer("c1", Kind.CONV, "n1", width="bottleneck", act=Act.RELU),
        layer("c2", Kind.CONV, "c1", width="growth", kernel=(3, 3), norm=False),
        layer("cat1", Kind.CONCAT, IMAGE, "c2"),
        layer("n2", Kind.NORM, "cat1", act=Act.RELU),
        layer("c3", Kind.CONV, "n2", width="growth", kernel=(3, 3), norm=False),
        layer("cat2", Kind.CONCAT, IMAGE, "c2", "c3"),
        layer("transition", Kind.AVG_POOL, "cat2", kernel=(2, 2), stride=2, padding=(0, 0)),
    ]
    ops, found = read(layers, {IMAGE: 64, "bottleneck": 128, "growth": 32}, 8)
    assert (ops["n2"].in_channels, ops["cat2"].out_channels, ops["cat2"].arity) == (96, 128, 3)
    assert (ops["transition"].out_px, ops["transition"].out_channels) == (4, 128)
    assert found.params == 2 * 64 + (64 * 128 + 256) + (128 * 32 * 9 + 32) + 2 * 96 + (96 * 32 * 9 + 32)
    assert found.macs == 64 * (64 * 128 + 128 * 32 * 9 + 96 * 32 * 9)


def test_inception_factorised_kernels():
    layers = [
        layer("a", Kind.CONV, IMAGE, width="w", kernel=(1, 7)),
        layer("b", Kind.CONV, "a", width="w", kernel=(7, 1)),
        layer("c", Kind.CONV, "b", width="w", kernel=(3, 3), stride=2, dilation=2),
    ]
    ops, found = read(layers, {IMAGE: 6, "w": 10}, 17)
    assert [(op.padding, op.out_px) for op in ops.values()] == [((0, 3), 17), ((3, 0), 17), ((2, 2), 9)]
    assert found.macs == 17 * 17 * (6 * 10 * 7 + 10 * 10 * 7) + 9 * 9 * 10 * 10 * 9


def test_grouped_convolution_squeeze_excite_and_classifier():
    layers = [
        layer("g", Kind.CONV, IMAGE, width="w", kernel=(3, 3), groups=4),
        layer("se", Kind.SE, "g", squeeze="q", act=Act.RELU, gate=Act.HSIGMOID),
        layer("fc", Kind.LINEAR, "se", width="classes"),
    ]
    ops, found = read(layers, {IMAGE: 8, "w": 16, "q": 4, "classes": 10}, 4)
    assert op_params(ops["g"]) == 16 * 2 * 9 + 32
    assert op_macs(ops["g"]) == 16 * 2 * 9 * 16
    assert op_params(ops["se"]) == 2 * 16 * 4 + 4 + 16
    assert op_macs(ops["se"]) == 2 * 16 * 4
    assert (ops["fc"].in_features, ops["fc"].out_px) == (256, 1)
    assert op_params(ops["fc"]) == 257 * 10
    assert found.macs == 16 * 2 * 9 * 16 + 128 + 2560


def test_memory_traffic():
    layers = [
        layer("a", Kind.CONV, IMAGE, width="w", norm=False),
        layer("b", Kind.CONV, IMAGE, width="w", norm=False),
        layer("sum", Kind.ADD, "a", "b"),
        layer("cat", Kind.CONCAT, "sum", "a", IMAGE),
    ]
    ops, _ = read(layers, {IMAGE: 2, "w": 4}, 3)
    assert op_traffic_bytes(ops["a"]) == 4 * (2 * 9 + 4 * 9 + 2 * 4 + 4)
    assert op_traffic_bytes(ops["sum"]) == 4 * (4 * 9 + 4 * 9 + 4 * 9)
    assert op_traffic_bytes(ops["cat"]) == 4 * (10 * 9 + 10 * 9)
