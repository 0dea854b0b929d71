"""The fastest and the slowest network of a space, and whether a budget can be met at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nas.errors import InfeasibleError
from nas.searcher.nearby import Latency, Priced, options_of, price
from nas.space import Choose, Space, largest, mutate, smallest


@dataclass(frozen=True, kw_only=True, slots=True)
class Extremes:
    """The fastest and the slowest network that were found."""

    fastest: Priced
    slowest: Priced


def extremes(space: Space[Any], latency: Latency) -> Extremes:
    """Find the fastest and the slowest network by changing one decision at a time from the smallest and the largest.

    Exact where latency is a sum over decisions that do not interact; a few hundred latency calls.
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
    """Minimise sign * latency over one decision at a time until a whole sweep changes nothing."""
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
                if sign * other.latency_ms < sign * best.latency_ms:
                    best, improved = other, True
    return best
