"""Sums of tables over few variables each: an order of elimination, and the cheapest and dearest sum.

A *world* is one value for every variable. Its cost is a sum of factors, tables over few variables each; an infinite
entry forbids a combination. Variables are eliminated one at a time, the one with the smallest joint table first, so
that a chain of blocks whose widths meet costs a trellis and no enumeration.

Glossary:
    U       scope of a bucket: the separator S (variables eliminated later) and the bucket's own variable v, v last.
    cell    one combination of the values of a scope, as a flat index.
    message of a bucket: a function of S, what its own variable and all that was eliminated before it make of the sum.

Koller and Friedman, Probabilistic Graphical Models, chapter 9. `counting` counts and draws worlds over the same plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nas.additive.factor import Factor, Floats, spread

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """What is summed when one variable is eliminated.

    Attributes:
        scope: U, the own variable last.
        sizes: Number of values of each variable in U.
        cost: (cells of U,) what a cell costs more than the cheapest with the same separator, all that was eliminated
            before included; infinite: forbidden.
        children: Buckets eliminated before whose messages are read here.
        child_cells: (children, cells of U): which cell of each child's message a cell reads.
    """

    scope: tuple[int, ...]
    sizes: tuple[int, ...]
    cost: Floats
    children: tuple[int, ...]
    child_cells: Ints

    @property
    def width(self) -> int:
        """Number of values of the own variable."""
        return self.sizes[-1]

    def cell(self, world: Sequence[int]) -> int:
        """The cell of U that a world lies in."""
        cell = 0
        for variable, size in zip(self.scope, self.sizes, strict=True):
            cell = cell * size + world[variable]
        return cell

    def first_cell(self, world: Sequence[int]) -> int:
        """The cell of U with the own variable at 0; the next `width` cells are its other values."""
        cell = 0
        for variable, size in zip(self.scope[:-1], self.sizes[:-1], strict=True):
            cell = cell * size + world[variable]
        return cell * self.width


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Buckets in the order of elimination.

    Attributes:
        roots: Those whose separator is empty.
        variables: Their number.
        floor: Cost of the cheapest world.
    """

    buckets: tuple[Bucket, ...]
    roots: tuple[int, ...]
    variables: int
    floor: float

    def cost(self, world: Sequence[int]) -> float:
        """Cost of one world; infinite where it is forbidden."""
        return self.floor + math.fsum(bucket.cost[bucket.cell(world)] for bucket in self.buckets)

    def restrict(self, allowed: Mapping[int, Sequence[int]]) -> Plan:
        """The same plan with only some values of some variables."""
        buckets = [_restrict(bucket, allowed.get(bucket.scope[-1])) for bucket in self.buckets]
        return _level(buckets, self.floor) if allowed else self


def plan(sizes: Sequence[int], factors: Sequence[Factor]) -> Plan:
    """Choose an order of elimination and join the factors of each bucket.

    Args:
        sizes: Number of values of each variable.
        factors: What is summed; a variable without a factor is free.
    """
    pending = {i: factor.scope for i, factor in enumerate(factors) if factor.scope}  # messages: from len(factors) on
    left = set(range(len(sizes)))
    scopes: list[tuple[int, ...]] = []
    parts: list[list[int]] = []
    while left:
        unions = {v: {v}.union(*(scope for scope in pending.values() if v in scope)) for v in left}
        v = min(left, key=lambda v: (math.prod(sizes[u] for u in unions[v]), v))
        parts.append([i for i, scope in pending.items() if v in scope])
        separator = tuple(sorted(unions[v] - {v}))
        for i in parts[-1]:
            del pending[i]
        if separator:
            pending[len(factors) + len(scopes)] = separator
        scopes.append((*separator, v))
        left.remove(v)
    buckets = [
        _bucket(
            scope,
            [sizes[v] for v in scope],
            [factors[i] for i in part if i < len(factors)],
            {i - len(factors): scopes[i - len(factors)][:-1] for i in part if i >= len(factors)},
        )
        for scope, part in zip(scopes, parts, strict=True)
    ]
    return _level(buckets, math.fsum(float(factor.cost) for factor in factors if not factor.scope))


def _level(buckets: Sequence[Bucket], floor: float) -> Plan:
    """Take the cheapest completion out of every separator's cells and hand it on to the bucket that reads them."""
    cheapest: list[Floats] = []
    levelled: list[Bucket] = []
    for bucket in buckets:
        cost = bucket.cost
        for child, cells in zip(bucket.children, bucket.child_cells, strict=True):
            cost = cost + cheapest[child][cells]
        table = cost.reshape(-1, bucket.width)
        cheapest.append(table.min(axis=1))
        taken = np.where(np.isfinite(cheapest[-1]), cheapest[-1], 0.0)
        levelled.append(replace(bucket, cost=(table - taken[:, None]).ravel()))
    roots = tuple(i for i, bucket in enumerate(buckets) if len(bucket.scope) == 1)
    return Plan(
        buckets=tuple(levelled),
        roots=roots,
        variables=len(buckets),
        floor=floor + math.fsum(float(cheapest[root][0]) for root in roots),
    )


def _bucket(
    scope: tuple[int, ...],
    sizes: Sequence[int],
    factors: Sequence[Factor],
    children: Mapping[int, tuple[int, ...]],
) -> Bucket:
    """Join factors; `children`: bucket -> the scope of its message."""
    shape = tuple(sizes)
    cost = np.zeros(shape)
    for factor in factors:
        cost = cost + spread(factor, scope)
    cells = np.zeros((len(children), cost.size), np.int64)
    values = np.indices(shape).reshape(len(shape), -1)
    for k, separator in enumerate(children.values()):
        for v in separator:
            axis = scope.index(v)
            cells[k] = cells[k] * shape[axis] + values[axis]
    return Bucket(scope=scope, sizes=shape, cost=cost.ravel(), children=tuple(children), child_cells=cells)


def _restrict(bucket: Bucket, allowed: Sequence[int] | None) -> Bucket:
    if allowed is None:
        return bucket
    own = np.arange(bucket.cost.size) % bucket.width
    return replace(bucket, cost=np.where(np.isin(own, allowed), bucket.cost, np.inf))


def extreme(plan: Plan, *, sign: int) -> tuple[int, ...]:
    """The world of the smallest (`sign` 1) or largest (-1) cost; some world must be allowed."""
    best: list[Floats] = []
    choice: list[Ints] = []
    for bucket in plan.buckets:
        total = np.where(np.isfinite(bucket.cost), sign * bucket.cost, np.inf)
        for child, cells in zip(bucket.children, bucket.child_cells, strict=True):
            total = total + best[child][cells]
        table = total.reshape(-1, bucket.width)
        best.append(table.min(axis=1))
        choice.append(table.argmin(axis=1))
    world = [0] * plan.variables
    for bucket, values in zip(reversed(plan.buckets), reversed(choice), strict=True):
        world[bucket.scope[-1]] = int(values[bucket.first_cell(world) // bucket.width])
    return tuple(world)
