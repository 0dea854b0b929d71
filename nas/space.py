"""A search space is a function of a chooser: `space.build(choose) -> Arch`.

`choose(name, options)` returns one of the options. Options are listed from smallest to largest, so that "largest" and
"smallest" are choosers too. A choice that is never asked for (a block beyond the chosen depth) does not exist for that
architecture.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from nas.arch import Arch
from nas.errors import InputError, did_you_mean

Choice = str | int | float
Choose = Callable[[str, Sequence[Choice]], Choice]
Choices = dict[str, Choice]
Built = TypeVar("Built")
Built_co = TypeVar("Built_co", covariant=True)


class Space(Protocol[Built_co]):
    """What can be searched: a function from decisions to anything that can be evaluated."""

    @property
    def name(self) -> str:
        """Name of the space in reports."""
        ...

    def build(self, choose: Choose, /) -> Built_co:
        """Build one member, asking `choose` for every decision."""
        ...


class SearchSpace(Space[Arch], Protocol):
    """A family of architectures: a space whose members are an `Arch`."""


def known_members(space: Space[object]) -> Sequence[Choices]:
    """Choices of members that are known to be good: what the space's `known()` gives, where it has such a method."""
    known = getattr(space, "known", None)
    return known() if known else ()


def typical(space: Space[object], rng: random.Random) -> Choose:
    """Choose a member like those whose latency will be asked for.

    By the space's `typical(rng)`, where it has such a method; else uniformly and independently.
    """
    own = getattr(space, "typical", None)
    return own(rng) if own else uniform(rng)


def largest(_name: str, options: Sequence[Choice]) -> Choice:
    """Choose the largest option everywhere: the architecture that holds every other one's weights."""
    return options[-1]


def smallest(_name: str, options: Sequence[Choice]) -> Choice:
    """Choose the smallest option everywhere."""
    return options[0]


def uniform(rng: random.Random) -> Choose:
    """Choose uniformly and independently."""
    return lambda _name, options: rng.choice(options)


def replay(choices: Mapping[str, Choice]) -> Choose:
    """Choose what was recorded.

    Raises:
        InputError: On use, when a decision is missing or its recorded option does not exist in the space.
    """

    def choose(name: str, options: Sequence[Choice]) -> Choice:
        if name not in choices:
            raise InputError(f"no choice recorded for '{name}'{did_you_mean(name, choices)}")
        if choices[name] not in options:
            raise InputError(f"choice '{name}' = {choices[name]!r} is not one of {list(options)}")
        return choices[name]

    return choose


def mutate(choices: Mapping[str, Choice], name: str, option: Choice, otherwise: Choose) -> Choose:
    """Choose as recorded, but `option` for `name`; `otherwise` decides what was not recorded."""

    def choose(asked: str, options: Sequence[Choice]) -> Choice:
        if asked == name:
            return option
        return choices[asked] if choices.get(asked) in options else otherwise(asked, options)

    return choose


def record(space: Space[Built], choose: Choose) -> tuple[Built, Choices]:
    """Build a member of a space and return it with the decisions that made it."""
    choices: Choices = {}

    def recording(name: str, options: Sequence[Choice]) -> Choice:
        choices[name] = choose(name, options)
        return choices[name]

    return space.build(recording), choices


def decisions(space: Space[object]) -> dict[str, tuple[Choice, ...]]:
    """All decisions of the largest architecture: name -> options."""
    found: dict[str, tuple[Choice, ...]] = {}

    def choose(name: str, options: Sequence[Choice]) -> Choice:
        found[name] = tuple(options)
        return options[-1]

    space.build(choose)
    return found
