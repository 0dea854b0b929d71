"""The networks a sampler chooses among: all of a small space in one table, or moves through a large one.

Both speak in codes (`features.Layout`): a row of small ints a network.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nas.additive.decomposition import Decomposition
from nas.additive.layout import Layout
from nas.additive.lookup import lookup
from nas.arch import Arch, Op, cost, op_macs, op_params
from nas.errors import InputError
from nas.searcher.choice_space import latency_ms, network_key
from nas.searcher.factors import decompose
from nas.searcher.features import Features
from nas.searcher.gp import Array, Codes, Encoded
from nas.searcher.nearby import Latency
from nas.space import Choice, Choices, Space, record, replay

Fixed = Mapping[str, Choice]
Score = Callable[[Encoded, Array], Array]  # log expected improvement of each network, given its ms too
Code = tuple[int, ...]

BAND = 0.85  # first points have latencies in [BAND, 1] of the budget, where the space has such networks
ENUMERATED = 20_000  # networks; a smaller space is listed
ENUMERATED_ARCHS = 8_000  # the same where every network is an `Arch`, a millisecond each to build and to digest
REFERENCES = 256  # networks that features are standardised over: so many of the space, and of those near a budget


@dataclass(frozen=True, slots=True)
class Wish:
    """What a suggestion must keep to.

    Attributes:
        fixed: Decisions that a partially enqueued trial has taken.
        known: Codes of networks that were evaluated, or are being evaluated.
        top: The best known networks within the budget, best first.
    """

    budget_ms: float
    fixed: Fixed
    known: frozenset[Code]
    top: tuple[Code, ...] = ()


class Candidates(Protocol):
    """What the sampler needs of a space."""

    @property
    def features(self) -> Features:
        """What the kernel reads."""
        ...

    def codes(self, params: Sequence[Mapping[str, Choice]]) -> list[Code | None]:
        """The codes of the networks that parameters build, those not asked for passed over; None: no such network."""
        ...

    def choices(self, code: Code) -> Choices:
        """The decisions of a network."""
        ...

    def encode(self, codes: Codes) -> Encoded:
        """What the kernel reads of networks, (n, L)."""
        ...

    def latency_ms(self, codes: Codes) -> Array:
        """Latencies, (n,)."""
        ...

    def draw(self, wish: Wish, rng: random.Random) -> Code | None:
        """A new network drawn near below the budget; None when there is none."""
        ...

    def best(self, wish: Wish, score: Score, rng: random.Random) -> Code | None:
        """The new network within the budget with the best score found; None when there is none."""
        ...


class Sums:
    """A decomposition, evaluated for many codes at once.

    Attributes:
        layout: Its decisions.
        total: Sum of the tables for codes (n, L), (n,); infinite for codes of no network.
    """

    def __init__(self, found: Decomposition) -> None:
        self.layout: Layout = found
        self.total = lookup(found).total
        factors = [(list(factor.scope), factor.cost) for factor in found.factors]
        self._presence = {
            v: [(scope, cost) for scope, cost in factors if scope and scope[-1] == v and _forbids(cost)]
            for v, values in enumerate(found.values)
            if None in values
        }

    def settle(self, codes: Codes, rng: np.random.Generator | None = None) -> Codes:
        """Switch decisions off where they are not asked for; those that appear are drawn."""
        settled = codes.copy()
        for v, factors in self._presence.items():
            own = settled[:, v].copy()
            settled[:, v] = 1
            present = np.ones(len(codes), dtype=bool)
            for scope, values in factors:
                present &= np.isfinite(values[tuple(settled.T[scope])])
            if rng is not None:
                own = np.where(own == 0, rng.integers(1, len(self.layout.values[v]), len(own)), own)
            settled[:, v] = np.where(present, own, 0)
        return settled


def _forbids(values: Array) -> bool:
    """Whether a table only tells which decisions exist."""
    finite = np.isfinite(values)
    return not finite.all() and not values[finite].any()


@dataclass(frozen=True, slots=True)
class _Share:
    layer: str
    ms: float


@dataclass(frozen=True, slots=True)
class _Counter:
    """A cost of an `Arch`, layer by layer, in the form that `decompose` reads latencies in."""

    read: Callable[[Op], int]

    def __call__(self, arch: Arch) -> float:
        return float(sum(map(self.read, arch.ops())))

    def breakdown(self, arch: Arch) -> list[_Share]:
        return [_Share(layer.name, float(self.read(op))) for layer, op in zip(arch.layers, arch.ops(), strict=True)]


COUNTERS = (_Counter(op_macs), _Counter(op_params))


def cost_sums(space: Space[Any], layout: Layout) -> tuple[Sums, ...]:
    """MACs and parameters of all networks of a space of `Arch`s; empty for other spaces and where they are no sums."""
    if not isinstance(space.build(lambda _name, options: options[-1]), Arch):
        return ()
    found = [decompose(space, counter) for counter in COUNTERS]
    sums = tuple(Sums(item) for item in found if item and item.names == layout.names and item.values == layout.values)
    return sums if len(sums) == len(COUNTERS) else ()


def numbers(built: object) -> tuple[float, ...]:
    """Logarithms of MACs and parameters, of an `Arch`."""
    if not isinstance(built, Arch):
        return ()
    costs = cost(built)
    return math.log(max(1, costs.macs)), math.log(max(1, costs.params))


class Listed:
    """All networks of a small space up to the largest budget, each once.

    Equal networks may differ in latency, where a table prices places differently: the kernel sees the one whose larger
    options come first, so that what is skipped stands last; suggested is the fastest.
    """

    def __init__(
        self, space: Space[Any], latency: Latency, layout: Layout, codes: Codes, budgets_ms: Sequence[float]
    ) -> None:
        self.layout = layout
        self._space = space
        self._conditional = any(None in values for values in layout.values)
        self._rows: dict[Code, int] = {}
        self._own_ms: dict[Code, float] = {}
        keys: dict[str, int] = {}
        seen_as: list[Code] = []
        costs: list[tuple[float, ...]] = []
        everywhere: list[tuple[float, ...]] = []
        for code in map(tuple, codes.tolist()):
            built, choices = record(space, replay(layout.choices(code)))
            ms = latency_ms(latency, built, choices)
            everywhere.append((ms, *numbers(built)))
            if ms <= max(budgets_ms):
                self._own_ms[code] = ms
                self._rows[code] = keys.setdefault(network_key(space, built, choices), len(seen_as))
                if self._rows[code] == len(seen_as):
                    seen_as.append(code)
                    costs.append(everywhere[-1])
        fastest_first = sorted(self._own_ms, key=lambda code: round(self._own_ms[code], 9))
        self._codes = np.array(fastest_first, dtype=np.int64)
        self._ms = self.latency_ms(self._codes)
        self._row_of = np.array(self._places(self._codes))
        self.features = _features(layout, codes, np.array(everywhere), budgets_ms)
        self._encoded = self.features.encode(np.array(seen_as, dtype=np.int64), np.array(costs))

    def codes(self, params: Sequence[Mapping[str, Choice]]) -> list[Code | None]:
        """The codes of the networks that parameters build."""
        return [code if code in self._rows else None for code in map(self._code, params)]

    def _code(self, params: Mapping[str, Choice]) -> Code | None:
        return code_of(self.layout, self._space, params, rebuilt=self._conditional)

    def choices(self, code: Code) -> Choices:
        """The decisions of a network."""
        return self.layout.choices(code)

    def encode(self, codes: Codes) -> Encoded:
        """What the kernel reads."""
        return self._encoded.take(self._places(codes))

    def latency_ms(self, codes: Codes) -> Array:
        """Latencies."""
        return np.array([self._own_ms[code] for code in map(tuple, codes.tolist())])

    def draw(self, wish: Wish, rng: random.Random) -> Code | None:
        """A new network drawn uniformly from those near below the budget, or from all below where none is near."""
        offers = self._offers(wish)
        near = offers[self._ms[offers] >= BAND * wish.budget_ms]
        places = near if len(near) else offers
        return _as_code(self._codes[places[rng.randrange(len(places))]]) if len(places) else None

    def best(self, wish: Wish, score: Score, rng: random.Random) -> Code | None:
        """The new network with the best score."""
        offers = self._offers(wish)
        if not len(offers):
            return None
        scores = score(self._encoded.take(self._row_of[offers]), self._ms[offers])
        return _as_code(self._codes[offers[int(np.argmax(scores))]])

    def _places(self, codes: Codes) -> list[int]:
        return [self._rows[code] for code in map(tuple, codes.tolist())]

    def _offers(self, wish: Wish) -> NDArray[np.intp]:
        """Places among all codes of new networks that keep to the wish, the fastest of equal ones."""
        new = np.ones(len(self._encoded), dtype=bool)
        new[[self._rows[code] for code in wish.known]] = False
        allowed = new[self._row_of] & (self._ms <= wish.budget_ms)
        if wish.fixed:
            allowed &= self.layout.agrees(self._codes, wish.fixed)
        places = np.flatnonzero(allowed)
        _, first = np.unique(self._row_of[places], return_index=True)
        return places[np.sort(first)]


def _features(layout: Layout, codes: Codes, costs: Array, budgets_ms: Sequence[float]) -> Features:
    """Features standardised over networks of the whole space and, as many, of those near below the budgets."""
    rng, runs = np.random.default_rng(0), np.isfinite(costs[:, 0])
    codes, costs = codes[runs], costs[runs]
    near = [np.flatnonzero((costs[:, 0] <= ms) & (costs[:, 0] >= BAND * ms)) for ms in budgets_ms]
    bands = [band for band in near if len(band)]
    rows = [rng.integers(0, len(codes), REFERENCES)]
    rows += [rng.choice(band, REFERENCES // len(bands)) for band in bands]
    chosen = np.concatenate(rows)
    return Features(layout, codes[chosen], costs[chosen])


def code_of(layout: Layout, space: Space[Any], params: Mapping[str, Choice], *, rebuilt: bool) -> Code | None:
    """The code of what parameters say; None: no such network.

    Args:
        layout: What codes mean.
        space: What parameters are of.
        params: An option for every decision, also for those that the network does not ask for.
        rebuilt: Build the network to tell which these are; otherwise all are taken as asked for.
    """
    try:
        return layout.code(record(space, replay(params))[1] if rebuilt else params)
    except (ValueError, InputError):
        return None


def _as_code(row: Codes) -> Code:
    return tuple(row.tolist())


def walk_all(space: Space[Any], limit: int) -> list[Choices] | None:
    """The decisions of all networks of a space, larger options first; None when there are more than `limit`."""
    found: list[Choices] = []
    taken: list[Choice] | None = []
    while taken is not None:
        if len(found) == limit:
            return None
        choices, taken = _next(space, taken)
        found.append(choices)
    return found


def _next(space: Space[Any], taken: Sequence[Choice]) -> tuple[Choices, list[Choice] | None]:
    """The first network whose first decisions are `taken`, and what the network after it takes."""
    path: list[tuple[Choice, Sequence[Choice]]] = []

    def choose(_name: str, options: Sequence[Choice]) -> Choice:
        path.append((taken[len(path)] if len(path) < len(taken) else options[-1], options))
        return path[-1][0]

    choices = record(space, choose)[1]
    while path and path[-1][0] == path[-1][1][0]:
        path.pop()
    if not path:
        return choices, None
    option, options = path[-1]
    return choices, [*(option for option, _ in path[:-1]), options[options.index(option) - 1]]
