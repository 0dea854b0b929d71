"""The Pareto front of accuracy against latency."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """Return the indices of the points that no other point beats, fastest first.

    A point beats another when it is no slower and no less accurate, and better in one of the two. Of equal points the
    first is kept.

    Args:
        points: (latency in ms, accuracy) of each network.

    >>> pareto_front([(2.0, 0.8), (1.0, 0.7), (3.0, 0.75), (1.0, 0.6)])
    (1, 0)
    """
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1], i))
    front: list[int] = []
    for i in order:
        if not front or points[i][1] > points[front[-1]][1]:
            front.append(i)
    return tuple(front)
