"""The networks of a space that keep to a latency: how many, one of them at random, the fastest, the slowest.

A latency is a sum over kernels, and each kernel's cost depends on few decisions. `factors` finds those tables,
`elimination` and `counting` count and draw over them, latencies rounded to `BINS` bins or more between the fastest
network and the budget. What is drawn is priced exactly afterwards, so rounding costs a few vain draws and never a
budget.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Any

from nas.additive.decomposition import Decomposition
from nas.errors import InputError
from nas.searcher.bounds import Extremes, extremes
from nas.searcher.choice_space import latency_ms
from nas.searcher.counting import Counts
from nas.searcher.elimination import Plan, extreme, plan
from nas.searcher.factors import decompose
from nas.searcher.nearby import Latency, Priced, price, walk_into
from nas.space import Choice, Choices, Choose, Space, record, replay, uniform

BINS = 2000  # between the fastest network and the budget, up to twice as many
MAX_LEVEL = 16  # bins are no finer than the span of the space over BINS * 2**MAX_LEVEL
NEAR = 1e-6  # of a bin: rounding of the sums
DRAWS = 200  # worlds drawn for one sample before the band counts as empty
SLACK = 1e-9  # relative; sums of the same numbers in another order
KEPT = 8  # sets of fixed decisions whose counts are remembered

Fixed = Mapping[str, Choice]


@dataclass(frozen=True, kw_only=True, slots=True)
class FeasibleSet:
    """What can be said about all networks of a space without building them.

    `fixed` maps decisions to the option they must have where they are asked for (a partially enqueued trial).

    Attributes:
        space: The space.
        latency: Milliseconds.
        decomposition: Tables whose sum is the latency; None where it is no such sum.
    """

    space: Space[Any]
    latency: Latency
    decomposition: Decomposition | None
    _plan: Plan | None
    _cache: dict[tuple[tuple[str, Choice], ...], _Part] = field(default_factory=dict, repr=False)

    @property
    def additive(self) -> bool:
        """Whether the latency was found to be a sum over few decisions each.

        Where it is not, `count` raises, `fastest` and `slowest` come from a descent, and `sample` from walks that are
        not uniform.
        """
        return self._plan is not None

    def count(self, budget_ms: float, *, fixed: Fixed | None = None) -> int:
        """Number of distinct decision sequences within a budget.

        Exact for rounded latencies: a network counts when its latency, summed from tables rounded to bins, is within
        the budget; rounded and true latency differ by `error_ms` at most. Below the fastest network it is 0 and from
        the slowest on it is all, without rounding. Above 2**53 the relative error is about 1e-13.

        Raises:
            InputError: The latency is not additive, or `fixed` names what does not exist.
        """
        part = self._part(fixed)
        if budget_ms < part.fastest_ms * (1 - SLACK):
            return 0
        counts = part.counts(budget_ms)
        last = len(counts.hist) if budget_ms >= part.slowest_ms * (1 - SLACK) else part.tick(counts, budget_ms, floor)
        return round(float(counts.hist[: last + 1].sum()))

    def error_ms(self, budget_ms: float, *, fixed: Fixed | None = None) -> float:
        """Largest difference of rounded and true latency when networks up to this budget are counted."""
        return self._part(fixed).counts(budget_ms).error

    def sample(
        self, rng: random.Random, *, low_ms: float, high_ms: float, fixed: Fixed | None = None
    ) -> Choices | None:
        """Draw uniformly from the networks with latencies in [`low_ms`, `high_ms`], true ones by the latency itself.

        Returns:
            The choices, or None when there is no such network (or when `DRAWS` draws next to the band found none in
            it: it holds less than about one in `DRAWS` of the networks in its bins).
        """
        if self._plan is None:
            return self._walk(rng, low_ms=low_ms, high_ms=high_ms, fixed=fixed)
        part = self._part(fixed)
        if high_ms < part.fastest_ms * (1 - SLACK) or low_ms > part.slowest_ms * (1 + SLACK):
            return None
        counts = part.counts(high_ms)
        low = part.tick(counts, low_ms - counts.error, floor)
        high = part.tick(counts, high_ms + counts.error, ceil)
        for _ in range(DRAWS):
            world = counts.draw(rng, low=low, high=high)
            if world is None:
                return None
            if low_ms * (1 - SLACK) <= part.plan.cost(world) <= high_ms * (1 + SLACK):
                choices = self._tables().choices(world)
                if low_ms <= self._true_ms(choices) <= high_ms:
                    return choices
        return None

    def fastest(self, fixed: Fixed | None = None) -> Priced:
        """The fastest network."""
        return self._extreme(fixed, sign=1)

    def slowest(self, fixed: Fixed | None = None) -> Priced:
        """The slowest network."""
        return self._extreme(fixed, sign=-1)

    def extremes(self) -> Extremes:
        """The fastest and the slowest of the space."""
        return Extremes(fastest=self.fastest(), slowest=self.slowest())

    def price(self, choices: Mapping[str, Choice]) -> float:
        """Milliseconds of a network: the sum of its tables' entries where additive, the latency itself elsewhere.

        Raises:
            InputError: The choices are not those of a network of the space.
        """
        if self._plan is None:
            return self._true_ms(choices)
        try:
            ms = self._plan.cost(self._tables().code(choices))
        except ValueError:
            ms = math.inf
        if not math.isfinite(ms):
            raise InputError(f"{dict(choices)} is not a network of the space {self.space.name} that has a latency")
        return ms

    def _tables(self) -> Decomposition:
        if self.decomposition is None:
            raise InputError(
                f"the latency of the space {self.space.name} is not a sum over few decisions: networks within a "
                f"budget cannot be counted, only searched for"
            )
        return self.decomposition

    def _part(self, fixed: Fixed | None) -> _Part:
        tables = self._tables()
        key = tuple(sorted((fixed or {}).items()))
        if key not in self._cache:
            assert self._plan is not None
            while len(self._cache) >= KEPT:
                del self._cache[next(iter(self._cache))]
            self._cache[key] = _Part(self._plan.restrict(_allowed(tables, dict(key))))
        return self._cache[key]

    def _extreme(self, fixed: Fixed | None, *, sign: int) -> Priced:
        if self._plan is None:
            found = extremes(_Held(self.space, fixed or {}), self.latency)
            return self._free(found.fastest if sign > 0 else found.slowest, fixed)
        world = extreme(self._part(fixed).plan, sign=sign)
        return price(self.space, replay(self._tables().choices(world)), self.latency)

    def _true_ms(self, choices: Mapping[str, Choice]) -> float:
        built, asked = record(self.space, replay(choices))
        return latency_ms(self.latency, built, asked)

    def _walk(self, rng: random.Random, *, low_ms: float, high_ms: float, fixed: Fixed | None) -> Choices | None:
        held = _Held(self.space, fixed or {})
        start = price(held, uniform(rng), self.latency)
        end = self._free(walk_into(held, start, self.latency, low_ms=low_ms, high_ms=high_ms, rng=rng), fixed)
        return end.choices if low_ms <= end.latency_ms <= high_ms else None

    def _free(self, priced: Priced, fixed: Fixed | None) -> Priced:
        """A network of the held space as one of the space."""
        return price(self.space, replay({**priced.choices, **(fixed or {})}), self.latency)


@dataclass(frozen=True, slots=True)
class _Held:
    """A space in which some decisions are taken."""

    space: Space[Any]
    fixed: Fixed

    @property
    def name(self) -> str:
        return self.space.name

    def build(self, choose: Choose, /) -> Any:
        return self.space.build(lambda name, options: self.fixed[name] if name in self.fixed else choose(name, options))


class _Part:
    """The networks with some decisions fixed.

    Bins are as fine as the budget is tight: level k counts the networks of the lowest 2**-k of the span only.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.fastest_ms = plan.cost(extreme(plan, sign=1))
        self.slowest_ms = plan.cost(extreme(plan, sign=-1))
        self._levels: dict[int, Counts] = {}

    def counts(self, budget_ms: float) -> Counts:
        """Counts of all networks up to a budget and some beyond."""
        span = self.slowest_ms - self.fastest_ms
        if span <= SLACK * abs(self.slowest_ms):
            span = 1.0
        share = min(max((budget_ms - self.fastest_ms) / span, 2.0**-MAX_LEVEL), 1.0)
        level = floor(-math.log2(share))
        if level not in self._levels:
            bins = None if level == 0 else BINS + len(self.plan.buckets)  # those that rounding lifts over the end
            self._levels[level] = Counts(self.plan, tick=span / BINS / 2**level, bins=bins)
        return self._levels[level]

    def tick(self, counts: Counts, ms: float, rounding: Callable[[float], int]) -> int:
        """Bin of a latency, within the histogram or one off its ends."""
        exact = min(max((ms - self.plan.floor) / counts.tick, -1.0), float(len(counts.hist)))
        near = round(exact)
        return near if abs(exact - near) < NEAR else rounding(exact)


def feasible_set(space: Space[Any], latency: Latency) -> FeasibleSet:
    """Find the tables of a latency on a space and prepare to count and draw; seconds at most.

    Raises:
        InputError: As the latency does.
    """
    found = decompose(space, latency)
    tables = plan([len(values) for values in found.values], found.factors) if found else None
    return FeasibleSet(space=space, latency=latency, decomposition=found, _plan=tables)


def _allowed(tables: Decomposition, fixed: Fixed) -> dict[int, tuple[int, ...]]:
    allowed: dict[int, tuple[int, ...]] = {}
    for name, option in fixed.items():
        if name not in tables.names or option not in tables.values[tables.names.index(name)]:
            raise InputError(f"fixed decision '{name}' = {option!r} is not one of the space's")
        allowed[tables.names.index(name)] = tables.allowed(name, option)
    return allowed
