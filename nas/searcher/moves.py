"""Search through a space too large to list: steepest ascent of a score over changes of one decision and of two.

Several ascents go side by side, so that each step is one call on one array.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nas.additive.layout import Layout
from nas.searcher.candidates import BAND, REFERENCES, Code, Score, Sums, Wish, code_of, cost_sums
from nas.searcher.choice_space import latency_ms, network_key
from nas.searcher.feasible import FeasibleSet
from nas.searcher.features import Features
from nas.searcher.gp import Array, Codes, Encoded
from nas.searcher.nearby import neighbour
from nas.space import Choice, Choices, decisions, record, replay, uniform

PARENTS = 6
MUTATIONS = 10  # of each parent
FRESH = 2  # uniform draws beside them
STARTS = 2
STEPS = 8
SWAPS = 80  # changes of two decisions a step, of each ascent
PRICED_MOVES = 30  # a step and ascent, where every latency needs a network built
KEPT = 20  # of a step's moves, to be suggested when what is better turns out to be known
TRIES = 20


class Open:
    """A space too large to list.

    Args:
        feasible: Draws within a budget, and the tables of the latency where it has such.
        budgets_ms: What features are standardised for.
        seed: Of the networks they are standardised over.
    """

    def __init__(self, feasible: FeasibleSet, budgets_ms: tuple[float, ...], *, seed: int) -> None:
        self._feasible, self._space = feasible, feasible.space
        self._sums = Sums(feasible.decomposition) if feasible.decomposition else None
        self.layout = self._sums.layout if self._sums else _open_layout(self._space)
        self._costs = cost_sums(self._space, self.layout) if self._sums else ()
        self._options = [[i for i, value in enumerate(values) if value is not None] for values in self.layout.values]
        self._known_ms: dict[Code, float] = {}
        self._keys: dict[Code, str] = {}
        rng = random.Random(seed)
        drawn = [record(self._space, uniform(rng))[1] for _ in range(REFERENCES)]
        for i in range(REFERENCES):
            budget_ms = budgets_ms[i % len(budgets_ms)]
            choices = feasible.sample(rng, low_ms=BAND * budget_ms, high_ms=budget_ms)
            drawn += [choices] if choices else []
            if not feasible.additive and i >= TRIES:
                break
        codes = np.array([self.layout.code(choices) for choices in drawn], dtype=np.int64)
        ms = self.latency_ms(codes)
        runs = np.isfinite(ms)
        self.features = Features(self.layout, codes[runs], self._numbers(codes, ms)[runs])

    def codes(self, params: Sequence[Mapping[str, Choice]]) -> list[Code | None]:
        """The codes of the networks that parameters build."""
        found = [self._code(given) for given in params]
        if self._sums is None or not any(found):
            return found
        settled = self._sums.settle(np.array([code for code in found if code], dtype=np.int64))
        exist = np.isfinite(self._sums.total(settled))
        known = iter([tuple(row) if is_one else None for row, is_one in zip(settled.tolist(), exist, strict=True)])
        return [next(known) if code else None for code in found]

    def _code(self, params: Mapping[str, Choice]) -> Code | None:
        return code_of(self.layout, self._space, params, rebuilt=self._sums is None)

    def choices(self, code: Code) -> Choices:
        """The decisions of a network."""
        return self.layout.choices(code)

    def encode(self, codes: Codes) -> Encoded:
        """What the kernel reads."""
        return self.features.encode(codes, self._numbers(codes, self.latency_ms(codes)))

    def latency_ms(self, codes: Codes) -> Array:
        """Latencies."""
        return self._sums.total(codes) if self._sums else np.array([self._priced(tuple(row)) for row in codes.tolist()])

    def draw(self, wish: Wish, rng: random.Random) -> Code | None:
        """A new network drawn uniformly near below the budget, or anywhere below it."""
        for low_ms in (BAND * wish.budget_ms, 0.0):
            for _ in range(TRIES):
                choices = self._feasible.sample(rng, low_ms=low_ms, high_ms=wish.budget_ms, fixed=wish.fixed)
                if choices is None:
                    break
                code = self.layout.code(choices)
                if self._is_new(code, wish):
                    return code
        return None

    def best(self, wish: Wish, score: Score, rng: random.Random) -> Code | None:
        """The best-scored new network on the ways of a few ascents."""
        noise = np.random.default_rng(rng.getrandbits(32))
        here = self._starts(wish, rng, noise)
        if not len(here):
            return self.draw(wish, rng)
        values = self._scored(here, score)
        order = np.argsort(-values)
        offers = {tuple(here[i].tolist()): float(values[i]) for i in order}
        here, values = here[order[:STARTS]], values[order[:STARTS]]
        for _ in range(STEPS):
            moves, owner = self._moves(here, wish, rng, noise)
            if not len(moves):
                break
            scored = np.concatenate([self._scored(moves[owner == i], score) for i in range(len(here))])
            for i in np.argsort(-scored)[:KEPT]:
                offers[tuple(moves[i].tolist())] = float(scored[i])
            climbing = np.zeros(len(here), dtype=bool)
            for i in range(len(here)):
                own = np.flatnonzero(owner == i)
                top = own[int(np.argmax(scored[own]))] if len(own) else -1
                if top >= 0 and scored[top] > values[i]:
                    here[i], values[i], climbing[i] = moves[top], scored[top], True
            if not climbing.any():
                break
            here, values = here[climbing], values[climbing]
        for code in sorted(offers, key=lambda code: -offers[code]):
            if self._is_new(code, wish) and self._truly_fits(code, wish):
                return code
        return self.draw(wish, rng)

    def _scored(self, codes: Codes, score: Score) -> Array:
        ms = self.latency_ms(codes)
        return score(self.features.encode(codes, self._numbers(codes, ms)), ms)

    def _starts(self, wish: Wish, rng: random.Random, noise: np.random.Generator) -> Codes:
        """Mutations of the best known networks and uniform draws, all new."""
        mutated = [self._mutate(np.array([code]), MUTATIONS, wish, rng, noise) for code in wish.top[:PARENTS]]
        fresh = []
        for _ in range(FRESH if self._sums else 1):
            choices = self._feasible.sample(rng, low_ms=BAND * wish.budget_ms, high_ms=wish.budget_ms, fixed=wish.fixed)
            fresh += [self.layout.code(choices)] if choices else []
        if not fresh:
            drawn = self.draw(wish, rng)
            fresh += [drawn] if drawn else []
        codes = np.concatenate([np.array(fresh, dtype=np.int64).reshape(-1, len(self.layout.names)), *mutated])
        return self._admitted(codes, wish)[0]

    def _mutate(self, codes: Codes, count: int, wish: Wish, rng: random.Random, noise: np.random.Generator) -> Codes:
        """Random changes of one to three decisions."""
        if self._sums is None:
            return self._walked(codes[0], count // 4, rng)
        mutated = np.repeat(codes, count, axis=0)
        for row in mutated:
            self._change(row, int(noise.integers(1, 4)), wish, noise)
        return self._sums.settle(mutated, noise)

    def _change(self, row: Codes, count: int, wish: Wish, noise: np.random.Generator) -> None:
        free = [v for v in self._free(wish) if row[v]]
        for v in noise.permutation(free)[:count]:
            row[v] = noise.choice([i for i in self._options[v] if i != row[v]])

    def _moves(self, here: Codes, wish: Wish, rng: random.Random, noise: np.random.Generator) -> tuple[Codes, Codes]:
        """New feasible neighbours of the ascents' places, (n, L), and whose they are, (n,)."""
        groups = [
            self._walked(row, PRICED_MOVES, rng) if self._sums is None else self._around(row, wish, noise)
            for row in here
        ]
        moves, kept = self._admitted(np.concatenate(groups), wish)
        return moves, np.repeat(np.arange(len(here)), [len(group) for group in groups])[kept]

    def _around(self, row: Codes, wish: Wish, noise: np.random.Generator) -> Codes:
        """All changes of one decision and random ones of two, settled."""
        assert self._sums is not None
        single = [(v, i) for v in self._free(wish) if row[v] for i in self._options[v] if i != row[v]]
        if not single:
            return np.zeros((0, len(row)), dtype=np.int64)
        pairs = noise.integers(0, len(single), (2, SWAPS))
        moves = np.repeat(row[None], len(single) + SWAPS, axis=0)
        changes = np.array(single)
        moves[np.arange(len(single)), changes[:, 0]] = changes[:, 1]
        for chosen in changes[pairs]:
            moves[np.arange(len(single), len(moves)), chosen[:, 0]] = chosen[:, 1]
        return self._sums.settle(moves, noise)

    def _walked(self, row: Codes, count: int, rng: random.Random) -> Codes:
        choices = self.layout.choices(row.tolist())
        near = [neighbour(self._space, choices, self._feasible.latency, rng) for _ in range(count)]
        for priced in near:
            self._known_ms[self.layout.code(priced.choices)] = priced.latency_ms
        return np.array([self.layout.code(priced.choices) for priced in near], dtype=np.int64).reshape(-1, len(row))

    def _admitted(self, codes: Codes, wish: Wish) -> tuple[Codes, Codes]:
        """The networks among these that are within the budget, keep what is fixed and are new, and their places."""
        fit = (self.latency_ms(codes) <= wish.budget_ms) & self.layout.agrees(codes, wish.fixed)
        fit &= np.array([code not in wish.known for code in map(tuple, codes.tolist())], dtype=bool)
        kept = np.flatnonzero(fit)
        return codes[kept], kept

    def _free(self, wish: Wish) -> list[int]:
        return [v for v, name in enumerate(self.layout.names) if name not in wish.fixed and len(self._options[v]) > 1]

    def _numbers(self, codes: Codes, ms: Array) -> Array:
        """Latency and, where they are known, logarithms of MACs and parameters, (n, 1 to 3)."""
        costs = [np.log(np.maximum(sums.total(codes), 1.0)) for sums in self._costs]
        return np.stack([ms, *costs], axis=1)

    def _is_new(self, code: Code, wish: Wish) -> bool:
        """Whether no known network equals this one; equal ones have equal costs, so few keys are computed."""
        if code in wish.known:
            return False
        known = np.array(sorted(wish.known), dtype=np.int64).reshape(-1, len(code))
        both = np.concatenate([np.array([code]), known])
        numbers = self._numbers(both, self.latency_ms(both))
        own, others = numbers[:1], numbers[1:]
        alike = known[np.isclose(others, own, rtol=1e-9, atol=0).all(axis=1)]
        return self._key(code) not in {self._key(tuple(other)) for other in alike.tolist()} if len(alike) else True

    def _key(self, code: Code) -> str:
        if code not in self._keys:
            self._keys[code] = network_key(self._space, *record(self._space, replay(self.layout.choices(code))))
        return self._keys[code]

    def _truly_fits(self, code: Code, wish: Wish) -> bool:
        built, choices = record(self._space, replay(self.layout.choices(code)))
        return latency_ms(self._feasible.latency, built, choices) <= wish.budget_ms

    def _priced(self, code: Code) -> float:
        if code not in self._known_ms:
            built, choices = record(self._space, replay(self.layout.choices(code)))
            self._known_ms[code] = latency_ms(self._feasible.latency, built, choices)
        return self._known_ms[code]


def _open_layout(space: Any) -> Layout:
    """Decisions of a space of which nothing else is known: any of them may be absent."""
    found = decisions(space)
    return Layout(tuple(found), tuple((None, *options) for options in found.values()))
