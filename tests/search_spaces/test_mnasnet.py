from nas.arch import Act, Kind
from search_spaces.mnasnet import A1, MEMBERS, SMALL, mnasnet
from tests.search_spaces.reference import assert_counts


def test_counts_are_those_of_the_reference():
    assert_counts(MEMBERS, "mnasnet")


def test_squeeze_excite_is_measured_by_the_input():
    arch = mnasnet(A1)
    gated = [op for op in arch.ops() if op.kind is Kind.SE]
    assert [op.squeeze for op in gated] == [6, 10, 10, 20, 28, 28, 40, 40]
    assert {(op.act, op.gate) for op in gated} == {(Act.RELU, Act.SIGMOID)}


def test_where_squeeze_excite_is():
    assert sum(layer.kind is Kind.SE for layer in mnasnet().layers) == 0
    assert sum(layer.kind is Kind.SE for layer in mnasnet(SMALL).layers) == 10
