"""The fastest and the slowest network of a space, and whether a budget can be met at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nas.errors import InfeasibleError, InputError
from nas.searcher.nearby import Latency, Priced, options_of, price
from nas.space import Choose, Space, largest, mutate, smallest


@dataclass(frozen=True, kw_only=True, slots=True)
class Extremes:
    """The fastest and the slowest network that were found."""

    fastest: Priced
    slowest: Priced


def extremes(space: Space[Any], latency: Latency) -> Extremes:
    """Find the fastest and the slowest network by changing one decision at a time from the smallest and the largest.

    Exact where latency is a sum over decisions that do not interact; a few hundred latency calls. A network that takes
    infinitely long, which its target does not run, is neither.

    Raises:
        InputError: No network that was tried takes a finite time.
    """
    return Extremes(
        fastest=_descend(space, latency, smallest, sign=1), slowest=_descend(space, latency, largest, sign=-1)
    )


def require_feasible(bounds: Extremes, budget_ms: float) -> None:
    """Refuse a budget that no network meets.

    Raises:
        InfeasibleError: Its text names the budget and the fastest network's latency, both in ms.
    """
    fastest_ms = bounds.fastest.latency_ms
    if fastest_ms > budget_ms:
        raise InfeasibleError(
            f"no network fits budget_ms={budget_ms:g}: the fastest of the space takes {fastest_ms:.4g} ms; "
            f"raise the budget or choose a smaller space"
        )


def _descend(space: Space[Any], latency: Latency, start: Choose, *, sign: int) -> Priced:
    """Minimise sign * latency, where finite, over one decision at a time until a whole sweep changes nothing."""

    def rank(priced: Priced) -> float:
        return sign * priced.latency_ms if math.isfinite(priced.latency_ms) else math.inf

    best = price(space, start, latency)
    improved = True
    while improved:
        improved = False
        for name, options in options_of(space, best.choices).items():
            if name not in best.choices:
                continue
            for option in options:
                if option == best.choices.get(name):
                    continue
                other = price(space, mutate(best.choices, name, option, start), latency)
                if rank(other) < rank(best):
                    best, improved = other, True
    if math.isinf(rank(best)):
        raise InputError(f"the latency model gives inf ms for the network {best.choices} and all next to it")
    return best
