"""Anchors are the same networks whenever they are asked for."""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest

from nas.arch import cost, digest
from nas.latency.anchors import anchors_of, by_digest, spread
from nas.space import largest, smallest, uniform
from tests.net.zoo import SPACE

ONE = dataclasses.replace(
    SPACE,
    stem_widths=(8,),
    stages=tuple(dataclasses.replace(stage, widths=(16,), depths=(1,)) for stage in SPACE.stages),
    kernels=(3,),
    expansions=(2,),
    se=(False,),
    acts=("relu",),
    head_expansions=(1,),
    feature_widths=(0,),
)


def test_anchors_replay() -> None:
    random.seed(5)
    first = anchors_of(SPACE, 6)
    random.seed(6)
    assert anchors_of(SPACE, 6) == first
    assert anchors_of(dataclasses.replace(SPACE, name="other"), 6) != first


@pytest.mark.parametrize("count", [2, 5, 12])
def test_anchors_span_the_range_in_order(count: int) -> None:
    archs = anchors_of(SPACE, count)
    macs = [cost(arch).macs for arch in archs]
    assert len(set(map(digest, archs))) == count
    assert macs == sorted(macs)
    assert (digest(archs[0]), digest(archs[-1])) == (digest(SPACE.build(smallest)), digest(SPACE.build(largest)))
    assert max(later - earlier for earlier, later in itertools.pairwise(macs)) < (macs[-1] - macs[0]) or count == 2


def test_a_tiny_space_has_the_anchors_it_has() -> None:
    assert anchors_of(ONE, 10) == (ONE.build(largest),)


def test_networks_that_differ_in_names_alone_are_one() -> None:
    arch, other = SPACE.build(largest), SPACE.build(uniform(random.Random(2)))
    assert by_digest([arch, other, arch, other]) == {digest(arch): arch, digest(other): other}


def test_a_spread_of_one_or_none() -> None:
    archs = [SPACE.build(largest), SPACE.build(smallest)]
    assert spread(archs, 1) == [archs[1]]
    assert spread(archs, 0) == []
    assert spread(archs, 9) == archs[::-1]
