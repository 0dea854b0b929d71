from __future__ import annotations

import random

import pytest

from nas.errors import InfeasibleError, InputError
from nas.searcher import extremes, price, require_feasible
from nas.searcher.nearby import BAND, first_points, neighbour
from nas.space import record, smallest, uniform


def test_no_sampled_network_is_outside_the_extremes(space, latency):
    bounds = extremes(space, latency)
    for seed in range(200):
        ms = latency(record(space, uniform(random.Random(seed)))[0])
        assert bounds.fastest.latency_ms <= ms <= bounds.slowest.latency_ms


def test_an_infeasible_budget_names_the_fastest_latency(space, latency):
    bounds = extremes(space, latency)
    with pytest.raises(InfeasibleError, match=f"{bounds.fastest.latency_ms:.4g} ms"):
        require_feasible(bounds, bounds.fastest.latency_ms * 0.99)
    require_feasible(bounds, bounds.fastest.latency_ms)


def test_first_points_lie_just_below_the_limit(space, latency):
    fastest = extremes(space, latency).fastest
    points = first_points(space, fastest, latency, limit_ms=0.5, count=8, rng=random.Random(0))
    assert len(points) == 8
    assert all(BAND * 0.5 <= point.latency_ms <= 0.5 for point in points)


def test_a_tight_limit_still_gets_feasible_first_points(space, latency):
    fastest = extremes(space, latency).fastest
    limit_ms = fastest.latency_ms * 1.3
    points = first_points(space, fastest, latency, limit_ms=limit_ms, count=3, rng=random.Random(0))
    assert points
    assert all(point.latency_ms <= limit_ms for point in points)


def test_a_neighbour_differs_in_one_decision_and_in_what_that_decision_brings(space, latency):
    start = price(space, uniform(random.Random(1)), latency)
    for seed in range(50):
        there = neighbour(space, start.choices, latency, random.Random(seed))
        common = start.choices.keys() & there.choices.keys()
        changed = [name for name in common if start.choices[name] != there.choices[name]]
        assert len(changed) == 1
        assert changed == ["depth"] or there.choices.keys() == start.choices.keys()


@pytest.mark.parametrize("ms", [float("nan"), float("-inf"), 0.0, -1.0])
def test_a_latency_that_is_no_positive_number_is_refused(space, ms):
    with pytest.raises(InputError, match="latency model gives"):
        price(space, smallest, lambda _arch: ms)


def test_a_space_of_which_nothing_runs_has_no_ends(space):
    with pytest.raises(InputError, match=r"latency model gives inf ms for the network .* and all next to it"):
        extremes(space, lambda _arch: float("inf"))
