"""A search space that is a handful of named choices, and a latency that is a sum over them.

For tabular benchmarks and for networks that are not ours: nothing here needs an `Arch`.

>>> space = ChoiceSpace("toy", {"kernel": (3, 5), "depth": (1, 2, 3)})
>>> latency = AdditiveLatency({"kernel": {3: 1.0, 5: 1.5}, "depth": {1: 0.0, 2: 1.0, 3: 2.0}}, base_ms=0.5)
>>> network = space.build(lambda name, options: options[-1])
>>> network, latency(network)
({'kernel': 5, 'depth': 3}, 4.0)
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from nas.arch import Arch, digest
from nas.errors import InputError, did_you_mean
from nas.space import Choice, Choose, Space

KEY_CHARS = 16


class ChoiceSpace:
    """Named categorical decisions that are all taken in every network.

    Args:
        name: Name of the space in reports.
        decisions: Decision -> options, from smallest to largest where they have an order (the searcher reads numbers
            as sizes).
        build: Makes what `evaluate` and the latency receive from the choices; None: the choices themselves, a dict.
        key: What a network *is*, as a value that JSON can write, from what `build` made: networks of equal keys are
            evaluated once. None: the canonical digest where an `Arch` was built, elsewhere every combination of
            choices is a network of its own.

    Raises:
        InputError: No decision, an option list that is empty or holds an option twice, or an option that is not a
            string or a finite number.
    """

    def __init__(
        self,
        name: str,
        decisions: Mapping[str, Sequence[Choice]],
        build: Callable[[dict[str, Any]], Any] | None = None,
        *,
        key: Callable[[Any], object] | None = None,
    ) -> None:
        self.name = name
        self.decisions: Mapping[str, tuple[Choice, ...]] = {
            decision: tuple(options) for decision, options in decisions.items()
        }
        self._build = build
        self._key = key
        if not self.decisions:
            raise InputError(f"space {name} has no decisions; give at least one name with its options")
        for decision, options in self.decisions.items():
            _check(f"space {name}: {decision}", options)

    def build(self, choose: Choose, /) -> Any:
        """Ask for every decision, in order, and build."""
        choices = {decision: choose(decision, options) for decision, options in self.decisions.items()}
        return self._build(choices) if self._build else choices

    def key(self, built: Any) -> object:
        """What a network is, by the user's `key`; None where there is none."""
        return None if self._key is None else self._key(built)


class AdditiveLatency:
    """A latency that is a sum over decisions, each choice with a price of its own.

    Called with choices; `feasible_set` and `price` hand it those whatever the space builds. A decision that a network
    did not ask for costs nothing; one without a table costs nothing either.

    Args:
        tables: Decision -> option -> ms.
        base_ms: What every network pays, ms.

    Raises:
        InputError: A price is not a finite number.
    """

    def __init__(self, tables: Mapping[str, Mapping[Any, float]], base_ms: float = 0.0) -> None:
        self.tables: Mapping[str, Mapping[Choice, float]] = {
            decision: {option: _price(f"{decision} = {option!r}", ms) for option, ms in prices.items()}
            for decision, prices in tables.items()
        }
        self.base_ms = _price("base_ms", base_ms)

    def __call__(self, choices: Mapping[str, Choice]) -> float:
        """Milliseconds of a network, given its choices.

        Raises:
            InputError: A chosen option has no price.
        """
        return self.base_ms + math.fsum(
            self.price(decision, choices[decision]) for decision in self.tables if decision in choices
        )

    def check(self, decisions: Iterable[str]) -> None:
        """Check that every table belongs to a decision of a space.

        Raises:
            InputError: One does not.
        """
        known = tuple(decisions)
        for decision in self.tables:
            if decision not in known:
                raise InputError(f"latency of '{decision}', which the space never asks{did_you_mean(decision, known)}")

    def price(self, decision: str, option: Choice) -> float:
        """Milliseconds of one choice.

        Raises:
            InputError: It has none.
        """
        table = self.tables.get(decision)
        if table is None:
            return 0.0
        if option not in table:
            raise InputError(
                f"no latency for '{decision}' = {option!r}{did_you_mean(str(option), map(str, table))}; "
                f"the table has {list(table)}"
            )
        return table[option]


def latency_ms(latency: Callable[[Any], float], built: object, choices: Mapping[str, Choice]) -> float:
    """Milliseconds of a network: an `AdditiveLatency` reads the choices, any other latency what the space built."""
    return latency(choices) if isinstance(latency, AdditiveLatency) else latency(built)


def network_key(space: Space[Any], built: object, choices: Mapping[str, Choice]) -> str:
    """Identifier of a network, 16 hexadecimal characters, equal for networks that need be evaluated once only.

    By the `key` of a `ChoiceSpace` where it has one, else the canonical digest of an `Arch`, else by the choices.
    """
    own = space.key(built) if isinstance(space, ChoiceSpace) else None
    if own is not None:
        return _hash(own, space.name)
    return digest(built) if isinstance(built, Arch) else _hash(dict(choices), space.name)


def _hash(value: object, space: str) -> str:
    try:
        text = json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"space {space}: the key {value!r} cannot be written as JSON ({error}); give strings, numbers, lists"
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_CHARS]


def _price(what: str, ms: object) -> float:
    if not (isinstance(ms, Real) and math.isfinite(ms)):
        raise InputError(f"latency of {what} is {ms!r} ms, must be a finite number")
    return float(ms)


def _check(where: str, options: Sequence[Choice]) -> None:
    if not options:
        raise InputError(f"{where} has no options; give at least one")
    for option in options:
        if not isinstance(option, str | int | float) or (isinstance(option, float) and not math.isfinite(option)):
            raise InputError(f"{where}: option {option!r} must be a string or a finite number")
    if len(set(options)) < len(options):
        raise InputError(f"{where} = {list(options)} holds an option twice")
