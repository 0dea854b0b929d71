"""How many worlds of a plan cost how much, and worlds drawn at random from those of a cost.

Words as in `elimination`, and
    tick    one bin of the cost; a bucket's costs are rounded to whole ticks, so a sum of costs is a sum of ints.
    hist    hist[t] = number of ways to spend t ticks, float64: exact below 2**53, to about 1e-13 above. Nothing is
            subtracted and no FFT is used, so the rarest costs are as exact as the commonest.

The count is that of the knapsack problem, over a trellis of separators.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.additive.factor import Floats
from nas.searcher.elimination import Bucket, Ints, Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counted:
    """A bucket's histograms.

    Attributes:
        ticks: (cells of U,) the bucket's costs in ticks; -1: forbidden.
        join: (cells of U,) which row of `prefixes` a cell reads.
        prefixes: [k][row]: hist of the first k + 1 children together; one row [1] without children.
        parts: [k][row]: hist of child k alone.
        message: (cells of S, ticks).
    """

    ticks: Ints
    join: Ints
    prefixes: tuple[tuple[Floats, ...], ...]
    parts: tuple[tuple[Floats, ...], ...]
    message: Floats


class Counts:
    """Histograms of a plan's costs, and worlds drawn from them.

    Attributes:
        tick: Width of a bin, in the unit of the costs.
        error: No counted world's cost differs by more from `plan.floor + ticks * tick`.
        hist: hist[t] = number of worlds of t ticks.

    Args:
        plan: What is counted.
        tick: As above.
        bins: Worlds of this many ticks or more are left out; None: all are counted.
    """

    def __init__(self, plan: Plan, *, tick: float, bins: int | None = None) -> None:
        self.plan = plan
        self.tick = tick
        self.error = 0.0
        self._counted: list[_Counted] = []
        for bucket in plan.buckets:
            kept = bucket.cost / tick < (bins or np.inf)
            ticks = np.where(kept, np.rint(np.where(kept, bucket.cost, 0.0) / tick), -1).astype(np.int64)
            off = np.abs(ticks[kept] * tick - bucket.cost[kept])
            self.error += float(off.max()) if off.size else 0.0
            messages = [self._counted[child].message for child in bucket.children]
            self._counted.append(_count(bucket, ticks, messages, bins))
        self._roots = [self._counted[root].message[0] for root in plan.roots]
        self._prefixes = _prefixes(self._roots, bins)
        self.hist = self._prefixes[-1]

    def draw(self, rng: random.Random, *, low: int, high: int) -> tuple[int, ...] | None:
        """A world drawn uniformly from those of `low` to `high` ticks; None when there is none."""
        low = max(low, 0)
        found = _pick(self.hist[low : high + 1], rng) if high >= low else None
        if found is None:
            return None
        world = [0] * self.plan.variables
        spend = [0] * len(self.plan.buckets)
        for root, ticks in zip(self.plan.roots, _split(low + found, self._prefixes, self._roots, rng), strict=True):
            spend[root] = ticks
        for i in reversed(range(len(spend))):
            self._assign(i, world, spend, rng)
        return tuple(world)

    def _assign(self, i: int, world: list[int], spend: list[int], rng: random.Random) -> None:
        """Draw the value of bucket i's variable, and what each of its children has to spend."""
        bucket, counted = self.plan.buckets[i], self._counted[i]
        first = bucket.first_cell(world)
        ticks = counted.ticks[first : first + bucket.width]
        joined = counted.prefixes[-1]
        weights = []
        for tick, row in zip(ticks.tolist(), counted.join[first : first + bucket.width].tolist(), strict=True):
            hist, rest = joined[row], spend[i] - tick
            weights.append(hist[rest] if tick >= 0 and 0 <= rest < len(hist) else 0.0)
        value = _pick(np.array(weights), rng)
        assert value is not None
        world[bucket.scope[-1]] = value
        if bucket.children:
            row = int(counted.join[first + value])
            rest = spend[i] - int(ticks[value])
            prefixes = [prefix[row] for prefix in counted.prefixes]
            shares = _split(rest, prefixes, [part[row] for part in counted.parts], rng)
            for child, share in zip(bucket.children, shares, strict=True):
                spend[child] = share


def _count(bucket: Bucket, ticks: Ints, messages: Sequence[Floats], bins: int | None) -> _Counted:
    if messages:
        rows, join = np.unique(bucket.child_cells, axis=1, return_inverse=True)
        join = join.reshape(-1)
        parts = [[_trim(message[cell]) for cell in cells] for message, cells in zip(messages, rows, strict=True)]
        by_row = [_prefixes(row, bins) for row in zip(*parts, strict=True)]
        prefixes = list(zip(*by_row, strict=True))
    else:
        join, parts, prefixes = np.zeros(ticks.size, np.int64), [], [(np.ones(1),)]
    joined = prefixes[-1]
    length = max(1, int(ticks.max(initial=0)) + max(len(hist) for hist in joined))
    length = min(length, bins or length)
    message = np.zeros((ticks.size // bucket.width, length))
    if messages:
        for cell in np.flatnonzero((ticks >= 0) & (ticks < length)):
            hist = joined[join[cell]][: length - ticks[cell]]
            message[cell // bucket.width, ticks[cell] : ticks[cell] + len(hist)] += hist
    else:
        cells = np.flatnonzero((ticks >= 0) & (ticks < length))
        np.add.at(message, (cells // bucket.width, ticks[cells]), 1.0)
    return _Counted(
        ticks=ticks,
        join=join,
        prefixes=tuple(tuple(prefix) for prefix in prefixes),
        parts=tuple(tuple(part) for part in parts),
        message=message,
    )


def _trim(hist: Floats) -> Floats:
    used = np.flatnonzero(hist)
    return hist[: used[-1] + 1] if used.size else hist[:0]


def _prefixes(hists: Sequence[Floats], bins: int | None) -> list[Floats]:
    """Convolutions of the first, the first two, ... histograms; an empty one means no way at all."""
    joined = [hists[0]]
    for hist in hists[1:]:
        joined.append(np.convolve(joined[-1], hist)[:bins] if joined[-1].size and hist.size else hist[:0])
    return joined


def _split(ticks: int, prefixes: Sequence[Floats], parts: Sequence[Floats], rng: random.Random) -> list[int]:
    """Draw how a number of ticks is shared between the parts."""
    shares: list[int] = []
    for prefix, part in zip(reversed(prefixes[:-1]), reversed(parts[1:]), strict=True):
        low, high = max(0, ticks - len(part) + 1), min(ticks, len(prefix) - 1)
        weights = prefix[low : high + 1] * part[ticks - high : ticks - low + 1][::-1]
        found = _pick(weights, rng)
        assert found is not None
        shares.append(ticks - low - found)
        ticks = low + found
    return [ticks, *reversed(shares)]


def _pick(weights: Floats, rng: random.Random) -> int | None:
    """An index drawn by weight; None when all are zero."""
    cumulated = np.cumsum(weights)
    if not cumulated.size or cumulated[-1] <= 0:
        return None
    index = int(np.searchsorted(cumulated, rng.random() * cumulated[-1], side="right"))
    return min(index, int(np.flatnonzero(weights)[-1]))
