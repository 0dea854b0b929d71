import pytest

from nas.arch import Act, Kind, cost
from search_spaces.mobilenet_v2 import MEMBERS, mobilenet_v2
from tests.search_spaces.reference import assert_counts


def test_counts_are_those_of_the_reference():
    assert_counts(MEMBERS, "mobilenet_v2")


def test_x14_is_that_of_the_paper():
    found = cost(mobilenet_v2(width=1.4))  # 6.9 M and 585 M in table 4, whose head is 1792 wide
    assert found.macs / 1e6 == pytest.approx(585, rel=0.01)
    assert mobilenet_v2(width=1.4).widths["head"] == 1792
    assert mobilenet_v2(width=0.5).widths["head"] == 1280


def test_bottlenecks_are_linear_and_sums_stay_within_a_stage():
    arch = mobilenet_v2()
    ops = {layer.name: op for layer, op in zip(arch.layers, arch.ops(), strict=True)}
    assert {op.act for name, op in ops.items() if name.endswith(".project")} == {Act.IDENTITY}
    assert {op.act for name, op in ops.items() if name.endswith((".expand", ".depthwise"))} == {Act.RELU6}
    assert sum(layer.kind is Kind.ADD for layer in arch.layers) == 10
