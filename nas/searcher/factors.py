"""The decomposition of a latency: a sum of tables over few decisions each, whose sum is the latency of any network.

Three ways to find it, by what the latency offers: an `AdditiveLatency` names a table a decision; a latency with a
`breakdown` is probed layer by layer (`probing`, `tables`); of a bare callable only the total is seen (`interactions`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np

from nas.errors import InputError
from nas.searcher.choice_space import AdditiveLatency, ChoiceSpace, latency_ms
from nas.searcher.elimination import Factor, spread
from nas.searcher.interactions import interaction_factors
from nas.searcher.nearby import Latency
from nas.searcher.probing import EXISTS, Prober
from nas.searcher.tables import Table, TooWideError, fill
from nas.space import Choice, Space, record, uniform

PROBES = 60  # random networks on which the sum of the tables must be the latency
TOLERANCE = 1e-6  # relative, of that test


@dataclass(frozen=True, kw_only=True, slots=True)
class Decomposition:
    """Tables whose sum is the latency, in ms.

    Attributes:
        names: Decisions, each after those that its existence depends on.
        values: Of each decision; None among them: it does not exist in some networks.
        factors: Over the decisions' positions; infinite where no such network exists.
    """

    names: tuple[str, ...]
    values: tuple[tuple[Choice | None, ...], ...]
    factors: tuple[Factor, ...]

    def world(self, choices: Mapping[str, Choice]) -> tuple[int, ...]:
        """Positions of the values that choices give; KeyError or ValueError where there is no such value."""
        return tuple(values.index(choices.get(name)) for name, values in zip(self.names, self.values, strict=True))

    def choices(self, world: Sequence[int]) -> dict[str, Choice]:
        """Choices of a world."""
        found = zip(self.names, (values[i] for values, i in zip(self.values, world, strict=True)), strict=True)
        return {name: value for name, value in found if value is not None}

    def price(self, choices: Mapping[str, Choice]) -> float:
        """Milliseconds: the sum of the tables."""
        world = self.world(choices)
        return math.fsum(factor.cost[tuple(world[v] for v in factor.scope)] for factor in self.factors)


class _Share(Protocol):
    @property
    def layer(self) -> str: ...
    @property
    def ms(self) -> float: ...


def decompose(space: Space[Any], latency: Latency) -> Decomposition | None:
    """Find the tables; None when their sum is not the latency, or when there would be too many rows.

    Builds some hundred networks, up to a few thousand where widths and resolutions are elastic.

    Networks for which the latency raises InputError (a table without a row) are left out where they are few.

    Raises:
        InputError: As the latency does, where they are many or the largest network is one.
    """
    if isinstance(latency, AdditiveLatency) and isinstance(space, ChoiceSpace):
        return _by_decision(space.decisions, latency)
    breakdown = _breakdown_of(latency)
    prober = Prober(space=space, read=_reader(breakdown), rng=random.Random(0))
    try:
        prober.explore()
        prober.sort_options()
        exists, costs = fill(prober)
        found = _assemble(prober, exists, costs)
        if isinstance(latency, AdditiveLatency):
            found = _with(found, _prices(found, latency))
        elif breakdown is None:
            conditions = {name: prober.scopes[EXISTS + name] for name in prober.conditional()}
            factors = interaction_factors(space, latency, options=prober.options, conditions=conditions)
            found = _with(found, factors)
    except TooWideError:
        return None
    return found if _holds(found, space, latency) else None


def _reader(breakdown: Callable[[Any], Sequence[_Share]] | None) -> Callable[[Any], dict[str, float]]:
    def read(built: object) -> dict[str, float]:
        outputs: dict[str, float] = {}
        for share in breakdown(built) if breakdown else ():
            outputs[share.layer] = outputs.get(share.layer, 0.0) + share.ms
        return outputs

    return read


def _breakdown_of(latency: Latency) -> Callable[[Any], Sequence[_Share]] | None:
    """The latency's `breakdown`, or that of the object whose method it is (`model.arch_ms`)."""
    owner = latency if hasattr(latency, "breakdown") else getattr(latency, "__self__", None)
    return cast("Callable[[Any], Sequence[_Share]] | None", getattr(owner, "breakdown", None))


def _by_decision(decisions: Mapping[str, Sequence[Choice]], latency: AdditiveLatency) -> Decomposition:
    bare = Decomposition(names=tuple(decisions), values=tuple(tuple(o) for o in decisions.values()), factors=())
    return _with(bare, _prices(bare, latency))


def _prices(found: Decomposition, latency: AdditiveLatency) -> list[Factor]:
    latency.check(found.names)
    costs = [
        [0.0 if value is None else latency.price(name, value) for value in values]
        for name, values in zip(found.names, found.values, strict=True)
    ]
    base = Factor(scope=(), cost=np.array(latency.base_ms))
    return [base, *(Factor(scope=(v,), cost=np.array(cost)) for v, cost in enumerate(costs))]


def _with(found: Decomposition, factors: Sequence[Factor]) -> Decomposition:
    return Decomposition(names=found.names, values=found.values, factors=(*found.factors, *factors))


def _assemble(prober: Prober, exists: Sequence[Table], costs: Sequence[Table]) -> Decomposition:
    conditional = set(prober.conditional())
    names = tuple(prober.options)
    values: tuple[tuple[Choice | None, ...], ...] = tuple(
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
    for row, (ms, _) in table.rows.items():
        cost[row] = ms
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


def _holds(found: Decomposition, space: Space[Any], latency: Latency) -> bool:
    """Whether the tables give the latency of random networks."""
    rng = random.Random(1)
    for _ in range(PROBES):
        built, choices = record(space, uniform(rng))
        try:
            ms = found.price(choices)
            true_ms = latency_ms(latency, built, choices)
        except ValueError:
            return False
        except InputError:  # a network without a latency is in no set
            continue
        if not abs(ms - true_ms) <= TOLERANCE * abs(true_ms):
            return False
    return True
