"""Joined tables give the sums that the tables give one by one, and refuse what is no code."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.additive.decomposition import Decomposition, tabulate
from nas.additive.factor import Factor
from nas.additive.lookup import BLOCK, Lookup, lookup
from nas.additive.probing import Prober
from nas.errors import InputError
from tests.additive.nested import Nested, read, total
from tests.searcher.enumeration import everything


@pytest.fixture(scope="module")
def nested() -> Lookup:
    return lookup(tabulate(Prober(space=Nested(), read=read, rng=random.Random(0))))


@st.composite
def decompositions(draw: st.DrawFn) -> Decomposition:
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    scopes = draw(st.lists(st.sets(st.integers(0, len(sizes) - 1), max_size=3), max_size=4))
    units = st.one_of(st.integers(0, 10**12).map(float), st.just(math.inf))
    factors = []
    for scope in map(sorted, scopes):
        shape = [sizes[v] for v in scope]
        cells = draw(st.lists(units, min_size=math.prod(shape), max_size=math.prod(shape)))
        factors.append(Factor(scope=tuple(scope), cost=np.array(cells).reshape(shape)))
    values = tuple(tuple(range(size)) for size in sizes)
    return Decomposition(names=tuple(f"d{v}" for v in range(len(sizes))), values=values, factors=tuple(factors))


@given(decompositions())
@settings(deadline=None, max_examples=50)
def test_whole_units_add_up_to_the_very_sum_of_the_tables(found: Decomposition) -> None:
    worlds = [*itertools.product(*(range(len(values)) for values in found.values))]
    choices = [found.choices(world) for world in worlds]
    joined = lookup(found)
    assert joined.codes(choices).tolist() == [list(world) for world in worlds]
    assert joined.total(joined.codes(choices)).tolist() == [found.price(one) for one in choices]
    assert [joined.one_total(one) for one in choices] == [found.price(one) for one in choices]


def test_codes_of_no_network_cost_infinitely_much(nested: Lookup) -> None:
    networks = [*everything(Nested())]
    known = map(tuple, nested.codes([choices for _, choices in networks]).tolist())
    members = dict(zip(known, (total(*network) for network in networks), strict=True))
    codes = np.indices(nested.sizes).reshape(len(nested.sizes), -1).T
    assert dict(zip(map(tuple, codes.tolist()), nested.total(codes).tolist(), strict=True)) == {
        code: members.get(code, math.inf) for code in map(tuple, codes.tolist())
    }


def test_many_networks_and_none_are_added_up_too(nested: Lookup) -> None:
    totals = nested.total(nested.codes([{"width": 8, "depth": 1, "0.op": "skip"}] * (2 * BLOCK + 1)))
    assert totals.shape == (2 * BLOCK + 1,)
    assert set(totals.tolist()) == {read({"stem": (8,)})["stem"]}
    assert nested.total(nested.codes([])).shape == (0,)


def test_choices_that_are_no_options_are_named(nested: Lookup) -> None:
    with pytest.raises(InputError, match=r"choice 'width' = 9 is not one of \[8, 16, 32\]"):
        nested.one_total({"width": 9, "depth": 1, "0.op": "skip"})
    with pytest.raises(InputError, match=r"no choice for 'depth' \(did you mean 'dept'\?\)"):
        nested.codes([{"width": 8, "dept": 1, "0.op": "skip"}])


@pytest.mark.parametrize("position", [-1, 99])
def test_codes_out_of_range_are_refused(nested: Lookup, position: int) -> None:
    codes = nested.codes([{"width": 8, "depth": 1, "0.op": "skip"}])
    codes[0, -1] = position
    with pytest.raises(InputError, match="from 0 to below"):
        nested.total(codes)


def test_codes_of_another_space_are_refused(nested: Lookup) -> None:
    with pytest.raises(InputError, match=r"codes \(2, 3\) must be \(n, 8\)"):
        nested.total(np.zeros((2, 3), dtype=np.int64))
