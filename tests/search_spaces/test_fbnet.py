from nas.arch import Kind
from search_spaces.fbnet import FBNET_C, MEMBERS, SINGLE_PATH, searched
from tests.search_spaces.reference import assert_counts


def test_counts_are_those_of_the_reference():
    assert_counts(MEMBERS, "fbnet")
    assert_counts(MEMBERS, "spnasnet")


def test_fbnet_expands_even_by_one():
    assert {layer.name for layer in searched(FBNET_C).layers} >= {"s0.b0.expand", "s2.b0.expand", "s2.b1.sum"}
    assert "s0.b0.expand" not in {layer.name for layer in searched(SINGLE_PATH).layers}


def test_sums_are_where_the_shape_stays():
    assert sum(layer.kind is Kind.ADD for layer in searched(FBNET_C).layers) == 15
    assert sum(layer.kind is Kind.ADD for layer in searched(SINGLE_PATH).layers) == 14
