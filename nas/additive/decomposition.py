"""A cost over a space as a sum of tables over few decisions each, whose sum is the cost of any network.

Nothing here knows what is summed: the latency model sums rows of its table in whole units (and the sum is exact), the
searcher milliseconds, MACs and parameters. `probing` and `tables` find the tables, `lookup` adds them up fast.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.additive.factor import Factor, spread
from nas.additive.layout import Layout, Value
from nas.additive.probing import EXISTS, Prober
from nas.additive.tables import Table, fill
from nas.errors import InputError
from nas.space import Choice, Choices, Space, record, uniform

PROBES = 60  # random networks on which the sum of the tables must be the cost


@dataclass(frozen=True, kw_only=True, slots=True)
class Decomposition(Layout):
    """Tables whose sum is the cost, in the cost's unit; a decision stands after those that its existence depends on.

    Attributes:
        factors: Over the decisions' positions; infinite where no such network exists.
    """

    factors: tuple[Factor, ...]

    def price(self, choices: Mapping[str, Choice]) -> float:
        """The sum of the tables."""
        code = self.code(choices)
        return math.fsum(factor.cost[tuple(code[v] for v in factor.scope)] for factor in self.factors)


def tabulate(prober: Prober) -> Decomposition:
    """Find the tables of what a prober reads off networks.

    Builds some hundred networks, up to a few thousand where widths and resolutions are elastic.

    Raises:
        InputError: As the prober's `read` does, where networks without a cost are many or the largest is one.
        TooWideError: A part of the cost depends on too many decisions.
    """
    prober.explore()
    prober.sort_options()
    exists, costs = fill(prober)
    return _assemble(prober, exists, costs)


def holds(
    found: Decomposition, space: Space[Any], cost: Callable[[Any, Choices], float], *, tolerance: float = 0.0
) -> bool:
    """Whether the tables give the cost of random networks, to a relative tolerance.

    Args:
        found: The tables.
        space: Whose networks are drawn.
        cost: Of what the space built, given its choices too; infinite: it is in no set; InputError: it has none.
        tolerance: 0: exactly.
    """
    rng = random.Random(1)
    for _ in range(PROBES):
        built, choices = record(space, uniform(rng))
        try:
            summed = found.price(choices)
            true = cost(built, choices)
        except ValueError:
            return False
        except InputError:  # a network without a cost is in no set
            continue
        if math.isinf(summed) or math.isinf(true):
            if summed != true:
                return False
        elif not abs(summed - true) <= tolerance * abs(true):
            return False
    return True


def _assemble(prober: Prober, exists: Sequence[Table], costs: Sequence[Table]) -> Decomposition:
    conditional = set(prober.conditional())
    names = tuple(prober.options)
    values: tuple[tuple[Value, ...], ...] = tuple(
        (None, *options) if name in conditional else options for name, options in prober.options.items()
    )
    sizes = [len(options) for options in values]
    place = {name: v for v, name in enumerate(names)}
    factors = _merged([_cost_factor(table, place, conditional) for table in costs])
    for table in exists:
        name = next(iter(table.outputs)).removeprefix(EXISTS)
        factors.append(_existence_factor(name, table, place, sizes, conditional))
    return Decomposition(names=names, values=values, factors=tuple(factors))


def _cost_factor(table: Table, place: Mapping[str, int], conditional: set[str]) -> Factor:
    cost = np.full([max(classes, default=0) + 1 for classes in table.classes], np.inf)
    for row, (value, _) in table.rows.items():
        cost[row] = value
    for axis, (name, classes) in enumerate(zip(table.scope, table.classes, strict=True)):
        cost = cost.take(classes if name in conditional else classes[1:], axis)
    return Factor(scope=tuple(place[name] for name in table.scope), cost=cost)


def _merged(factors: Sequence[Factor]) -> list[Factor]:
    """Factors whose scope lies in another's, added to that one."""
    merged: list[Factor] = []
    for factor in sorted(factors, key=lambda factor: -len(factor.scope)):
        home = next((i for i, other in enumerate(merged) if set(factor.scope) <= set(other.scope)), None)
        if home is None:
            merged.append(factor)
        else:
            scope = merged[home].scope
            merged[home] = Factor(scope=scope, cost=merged[home].cost + spread(factor, scope))
    return merged


def _existence_factor(
    name: str, table: Table, place: Mapping[str, int], sizes: Sequence[int], conditional: set[str]
) -> Factor:
    """0 where a decision exists exactly when it should, infinite elsewhere."""
    scope = (*(place[parent] for parent in table.scope), place[name])
    cost = np.full([sizes[v] for v in scope], np.inf)
    for row, (exists, _) in table.rows.items():
        index = _index(table.scope, row, conditional)
        cost[(*index, slice(1, None) if exists else 0)] = 0.0
    order = np.argsort(scope)
    return Factor(scope=tuple(sorted(scope)), cost=cost.transpose(order))


def _index(scope: Sequence[str], row: Sequence[int], conditional: set[str]) -> tuple[int, ...]:
    return tuple(code if name in conditional else code - 1 for name, code in zip(scope, row, strict=True))
