"""Networks with their price, single-decision changes, and walks that end just below a latency.

The latency model is nearly free next to an evaluation, so networks are priced by the hundred to find the few that are
worth evaluating.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from nas.errors import InputError
from nas.searcher.choice_space import latency_ms, network_key
from nas.space import Choice, Choices, Choose, Space, mutate, record, replay, uniform

Latency = Callable[[Any], float]  # milliseconds of what the space builds (an `AdditiveLatency` reads the choices)

BAND = 0.85  # first points are sought with latencies in [BAND, 1] of the budget
MAX_STEPS = 400  # of one walk


@dataclass(frozen=True, kw_only=True, slots=True)
class Priced:
    """A network, the decisions that build it, and its latency.

    Attributes:
        arch: What the space builds: an `Arch`, or whatever a `ChoiceSpace` makes of its choices.
    """

    arch: Any
    choices: Choices
    latency_ms: float


def price(space: Space[Any], choose: Choose, latency: Latency) -> Priced:
    """Build a network and price it; one that its target does not run takes infinitely long.

    Raises:
        InputError: The latency model gives something that is not a positive number.
    """
    arch, choices = record(space, choose)
    ms: object = latency_ms(latency, arch, choices)
    if not (isinstance(ms, Real) and float(ms) > 0):  # NaN is not
        raise InputError(f"the latency model gives {ms!r} ms for the network {choices}; must be a positive number")
    return Priced(arch=arch, choices=choices, latency_ms=float(ms))


def neighbour(space: Space[Any], choices: Choices, latency: Latency, rng: random.Random) -> Priced:
    """Change one decision at random; decisions that the change brings into being are drawn uniformly."""
    options = options_of(space, choices)
    free = [name for name in choices if len(options[name]) > 1]
    if not free:
        return price(space, replay(choices), latency)
    name = rng.choice(free)
    option = rng.choice([option for option in options[name] if option != choices[name]])
    return price(space, mutate(choices, name, option, uniform(rng)), latency)


def walk_into(
    space: Space[Any], start: Priced, latency: Latency, *, low_ms: float, high_ms: float, rng: random.Random
) -> Priced:
    """Walk by single-decision changes that come no further from [`low_ms`, `high_ms`], until inside."""

    def distance(priced: Priced) -> float:
        return max(low_ms - priced.latency_ms, priced.latency_ms - high_ms, 0.0)

    here = start
    for _ in range(MAX_STEPS):
        if distance(here) == 0:
            break
        there = neighbour(space, here.choices, latency, rng)
        if distance(there) <= distance(here):
            here = there
    return here


def first_points(
    space: Space[Any], fastest: Priced, latency: Latency, *, limit_ms: float, count: int, rng: random.Random
) -> tuple[Priced, ...]:
    """Find distinct feasible networks with latencies in [`BAND`, 1] of the limit, or as near below as walks come.

    Walks start at uniform draws; one that ends above the limit (a tight budget) is walked again from `fastest`.
    """
    found: dict[str, Priced] = {}
    for _ in range(2 * count):
        if len(found) == count:
            break
        start = price(space, uniform(rng), latency)
        point = walk_into(space, start, latency, low_ms=BAND * limit_ms, high_ms=limit_ms, rng=rng)
        if point.latency_ms > limit_ms:
            point = walk_into(space, fastest, latency, low_ms=BAND * limit_ms, high_ms=limit_ms, rng=rng)
        if point.latency_ms <= limit_ms:
            found.setdefault(network_key(space, point.arch, point.choices), point)
    return tuple(found.values())


def options_of(space: Space[Any], choices: Choices) -> dict[str, tuple[Choice, ...]]:
    """Options of every decision that these choices ask for."""
    options: dict[str, tuple[Choice, ...]] = {}
    chosen = replay(choices)

    def choose(name: str, offered: Sequence[Choice]) -> Choice:
        options[name] = tuple(offered)
        return chosen(name, offered)

    space.build(choose)
    return options
