"""Tables of a latency of which only the total is seen: decisions that interact share a table.

Two decisions interact when changing both changes the total by another amount than the two changes apart. Sets of
decisions that all interact with each other (cliques) share a table; with a network held fixed elsewhere, the anchor,
    f(x) = sum over T of c(T) f(x on T, anchor elsewhere),
T running over the cliques and their intersections, c(T) by inclusion and exclusion (an anchored ANOVA).
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nas.additive.factor import Factor
from nas.additive.tables import TooWideError
from nas.space import Choice, Space, record, replay

MAX_BUILDS = 4000  # networks priced for the tables, and as many to find out who interacts
ANCHORS = 3  # networks around which each pair is tried
MAX_ANCHORS = 40  # tried to find those, where decisions seldom exist together
TOLERANCE = 1e-9  # of the latency: a smaller mixed difference is rounding

Pair = tuple[int, int]
Point = tuple[int, ...]  # an option (index) for every decision; those that are not asked for change nothing


def interaction_factors(
    space: Space[Any],
    latency: Callable[[Any], float],
    *,
    options: Mapping[str, Sequence[Choice]],
    conditions: Mapping[str, Iterable[str]],
) -> list[Factor]:
    """Tables whose sum is the latency, if it is a sum over small cliques.

    Args:
        space: What is built.
        latency: Milliseconds.
        options: Decision -> options; its order is that of the decisions in the tables' scopes.
        conditions: Decision that does not always exist -> the decisions that say whether it does. Its first column in
            a table is that of not existing.

    Raises:
        TooWideError: The tables would need more than `MAX_BUILDS` networks.
    """
    names = list(options)
    sizes = [len(options[name]) for name in names]
    totals = _Totals(space=space, latency=latency, names=names, options=[tuple(options[name]) for name in names])
    above = {names.index(name): {names.index(parent) for parent in parents} for name, parents in conditions.items()}
    cliques = _cliques(len(names), _with_conditions(_interactions(totals, sizes), above))
    if sum(math.prod(sizes[v] for v in clique) for clique in cliques) > MAX_BUILDS:
        raise TooWideError
    return [_factor(totals, scope, weight, sizes, above.keys()) for scope, weight in _weights(cliques).items()]


@dataclass(kw_only=True, slots=True)
class _Totals:
    """Latencies of points, each network priced once."""

    space: Space[Any]
    latency: Callable[[Any], float]
    names: Sequence[str]
    options: Sequence[tuple[Choice, ...]]
    _known: dict[Point, tuple[float, frozenset[int]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._known)

    def ms(self, point: Point) -> float:
        return self._look(point)[0]

    def asked(self, point: Point) -> frozenset[int]:
        """The decisions that exist there."""
        return self._look(point)[1]

    def _look(self, point: Point) -> tuple[float, frozenset[int]]:
        if point not in self._known:
            chosen = {name: options[i] for name, options, i in zip(self.names, self.options, point, strict=True)}
            built, asked = record(self.space, replay(chosen))
            self._known[point] = self.latency(built), frozenset(self.names.index(name) for name in asked)
        return self._known[point]


def _interactions(totals: _Totals, sizes: Sequence[int]) -> set[Pair]:
    """Pairs of decisions that interact around one of a few networks in which both exist."""
    rng = random.Random(0)
    left = dict.fromkeys(itertools.combinations(range(len(sizes)), 2), ANCHORS)
    found: set[Pair] = set()
    for n in range(MAX_ANCHORS):
        anchor = tuple(size - 1 if n == 0 else rng.randrange(size) for size in sizes)
        there = sorted(v for v in totals.asked(anchor) if sizes[v] > 1)
        away = {v: rng.choice([i for i in range(sizes[v]) if i != anchor[v]]) for v in there}
        for u, v in itertools.combinations(there, 2):
            if (u, v) in found or not left[u, v]:
                continue
            if len(totals) > MAX_BUILDS:
                return found
            left[u, v] -= 1
            points = [_moved(anchor, {w: away[w] for w in moved}) for moved in ((), (u,), (v,), (u, v))]
            here, first, second, both = map(totals.ms, points)
            if abs(both - first - second + here) > TOLERANCE * max(abs(here), abs(both)):
                found.add((u, v))
    return found


def _with_conditions(pairs: set[Pair], above: Mapping[int, set[int]]) -> set[Pair]:
    """What interacts with a decision interacts with those that say whether it exists, and they with it."""
    grown = {frozenset(pair) for pair in pairs} | {frozenset((v, u)) for v, parents in above.items() for u in parents}
    new = set(grown)
    while new:
        raised = {(pair - {v}) | {u} for pair in new for v in pair for u in above.get(v, ())}
        new = {pair for pair in raised if len(pair) == 2} - grown
        grown |= new
    return {(min(pair), max(pair)) for pair in grown}


def _moved(point: Point, changes: Mapping[int, int]) -> Point:
    return tuple(changes.get(v, i) for v, i in enumerate(point))


def _cliques(count: int, pairs: set[Pair]) -> list[frozenset[int]]:
    """Maximal cliques (Bron and Kerbosch)."""
    near = {v: {u for u in range(count) if (u, v) in pairs or (v, u) in pairs} for v in range(count)}
    found: list[frozenset[int]] = []

    def grow(clique: frozenset[int], candidates: set[int], done: set[int]) -> None:
        if not candidates and not done:
            found.append(clique)
            return
        pivot = max(candidates | done, key=lambda v: len(near[v] & candidates))
        for v in sorted(candidates - near[pivot]):
            grow(clique | {v}, candidates & near[v], done & near[v])
            candidates = candidates - {v}
            done = done | {v}

    grow(frozenset(), set(range(count)), set())
    return found


def _weights(cliques: Sequence[frozenset[int]]) -> dict[frozenset[int], int]:
    """c(T) of the cliques and all their intersections: every set is counted once in all its supersets together."""
    scopes: set[frozenset[int]] = {*cliques, frozenset()}
    grown = True
    while grown:
        new = {one & other for one, other in itertools.combinations(scopes, 2)} - scopes
        scopes |= new
        grown = bool(new)
    weights: dict[frozenset[int], int] = {}
    for scope in sorted(scopes, key=len, reverse=True):
        weights[scope] = 1 - sum(weight for other, weight in weights.items() if scope < other)
    return {scope: weight for scope, weight in weights.items() if weight}


def _factor(
    totals: _Totals, scope: frozenset[int], weight: int, sizes: Sequence[int], conditional: Collection[int]
) -> Factor:
    anchor = tuple(size - 1 for size in sizes)
    variables = tuple(sorted(scope))
    cost = np.empty([sizes[v] for v in variables])
    for index in itertools.product(*(range(sizes[v]) for v in variables)):
        cost[index] = weight * totals.ms(_moved(anchor, dict(zip(variables, index, strict=True))))
    for axis, v in enumerate(variables):
        if v in conditional:  # where it does not exist its option changes nothing: any option's column will do
            cost = np.concatenate([cost.take([-1], axis), cost], axis)
    return Factor(scope=variables, cost=cost)
