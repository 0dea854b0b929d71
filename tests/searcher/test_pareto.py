from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from nas.searcher import pareto_front

number = st.floats(0, 1)


@given(st.lists(st.tuples(number, number), max_size=30))
def test_the_front_beats_or_equals_every_point_and_none_of_itself(points):
    front = [points[i] for i in pareto_front(points)]
    assert all(any(ms <= point[0] and accuracy >= point[1] for ms, accuracy in front) for point in points)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(front))
