"""Which decisions a space has, when each exists, and which of them each part of a network's latency depends on.

A space is a function and a latency model another: nothing here reads a network. Networks are built, one decision is
changed, and what changed with it depends on that decision. What the probes missed shows up as a *conflict*, two
networks that agree on all the decisions a part is said to depend on and yet differ in it; walking from one to the
other names the decision that was missed.

Glossary:
    assignment  an option for every known decision, asked for or not.
    code        0: the decision does not exist in this network; i + 1: its option i.
    output      a number read off a network: milliseconds of one layer, or whether a decision exists.
    scope       the decisions that an output depends on, existence included.
    class       options (codes) of a decision that an output does not tell apart: a block's kernel size, say, to its
                first convolution. Found where a decision has many options, to have fewer networks to build.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nas.errors import InputError
from nas.space import Choice, Space

Outputs = Mapping[str, float]
Assignment = Mapping[str, Choice]

ALTERNATIVES = 3  # tried of a decision at the largest network, spread over its options
RANDOM_BASES = 3  # random networks around which one alternative of every decision is tried
MANY = 4  # options; decisions with more are searched for classes
UNPRICED = 0.2  # share of the networks probed that may be without a latency
MANY_SEEN = 50  # networks seen before that share means much
CLASS_BASES = 3  # networks around which options must be alike
TOLERANCE = 1e-9  # relative; the sums of two networks come in different orders
EXISTS = "exists:"  # prefix of the outputs that say whether a decision exists


@dataclass(frozen=True, slots=True)
class Observation:
    """A network that was built.

    Attributes:
        assignment: What was chosen, and what would have been for the known decisions that it did not ask for.
        codes: Codes of the decisions it asked for.
        outputs: Numbers other than 0.
    """

    assignment: Assignment
    codes: Mapping[str, int]
    outputs: Outputs


@dataclass(kw_only=True, slots=True)
class Prober:
    """Builds networks and remembers what was seen.

    Attributes:
        read: Numbers of a built network, infinite where it is in no set; raises InputError where the latency has none
            for it (a table without a row).
        options: Decision -> options, in the order they were first asked for.
        scopes: Output -> the decisions it depends on.
        classes: Output -> decision -> class of each code; a decision that is not there has a class for every code.
    """

    space: Space[Any]
    read: Callable[[Any], Outputs]
    rng: random.Random
    options: dict[str, tuple[Choice, ...]] = field(default_factory=dict)
    scopes: dict[str, set[str]] = field(default_factory=dict)
    classes: dict[str, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    seen: list[Observation] = field(default_factory=list)
    refused: int = 0

    def observe(self, assignment: Assignment) -> Observation:
        """Build the network of an assignment; decisions that it does not name take their last option."""
        used = dict(assignment)
        codes: dict[str, int] = {}

        def choose(name: str, options: Sequence[Choice]) -> Choice:
            known = self.options.setdefault(name, tuple(options))
            option = used.setdefault(name, known[-1])
            codes[name] = known.index(option) + 1
            return option

        outputs = {name: value for name, value in self.read(self.space.build(choose)).items() if value}
        observation = Observation(used, codes, outputs | {EXISTS + name: 1.0 for name in codes})
        self.seen.append(observation)
        for output in observation.outputs:
            self.scopes.setdefault(output, set())
        return observation

    def try_to_observe(self, assignment: Assignment) -> Observation | None:
        """As `observe`, but None for a network without a latency; too many of those are the latency's error.

        Raises:
            InputError: As the latency does, when more networks than `UNPRICED` of all seen were refused.
        """
        try:
            return self.observe(assignment)
        except InputError:
            self.refused += 1
            if self.refused > UNPRICED * (len(self.seen) + MANY_SEEN):
                raise
            return None

    def explore(self) -> None:
        """Find decisions and scopes by changing one decision at a time, from several networks."""
        bases = [self.observe({})]
        varied: set[str] = set()
        jumps: list[tuple[str, Observation, Observation]] = []
        for n in range(RANDOM_BASES + 1):
            jumps += self._vary(bases[n], ALTERNATIVES if n == 0 else 1)
            varied |= bases[n].codes.keys()
            bases.append(self.try_to_observe(self.random_assignment()) or bases[0])
        while missed := next((o for o in self.seen if not o.codes.keys() <= varied), None):
            jumps += self._vary(missed, ALTERNATIVES)
            varied |= missed.codes.keys()
        for name, before, after in sorted(jumps, key=lambda jump: len(jump[1].codes.keys() ^ jump[2].codes.keys())):
            appeared = before.codes.keys() ^ after.codes.keys()
            for output in differences(before, after):
                if not self.scopes[output] & appeared:
                    self.scopes[output].add(name)

    def sort_options(self) -> None:
        """Find classes: options that make no difference to an output around several networks.

        Decisions that no output depends on together go through their options at the same time.
        """
        many = {name for name, options in self.options.items() if len(options) > MANY}
        alike: dict[tuple[str, str, int], list[str]] = {}  # output, decision, code -> values
        for n in range(CLASS_BASES):
            base = {} if n == 0 else self.random_assignment()
            for i in range(max((len(self.options[name]) for name in many), default=0)):
                turned = {name: self.options[name][i] for name in many if i < len(self.options[name])}
                seen = self.try_to_observe(base | turned)
                if seen is None:
                    continue
                for output, scope in self.scopes.items():
                    for name in scope & turned.keys() & seen.codes.keys():
                        alike.setdefault((output, name, i + 1), []).append(f"{seen.outputs.get(output, 0.0):.9g}")
        for output, scope in self.scopes.items():
            found = scope & many
            if len(found) == 1:
                name = found.pop()
                marks = [tuple(alike.get((output, name, code), ())) for code in range(1, len(self.options[name]) + 1)]
                first = list(dict.fromkeys(marks))
                self.classes[output] = {name: (0, *(first.index(mark) + 1 for mark in marks))}

    def classes_of(self, output: str, name: str) -> tuple[int, ...]:
        """Class of each code of a decision."""
        return self.classes.get(output, {}).get(name) or tuple(range(len(self.options[name]) + 1))

    def random_assignment(self) -> dict[str, Choice]:
        """A uniform option for every known decision."""
        return {name: self.rng.choice(options) for name, options in self.options.items()}

    def learn(self, output: str, one: Observation, other: Observation) -> None:
        """Widen the scope of an output, or forget its classes, by two networks it should not tell apart and does."""
        assignment = dict(one.assignment)
        before = one
        for name in sorted(self.options, key=lambda name: name not in self.scopes[output]):
            option = other.assignment.get(name, self.options[name][-1])
            if assignment.get(name, self.options[name][-1]) == option:
                continue
            assignment[name] = option
            after = self.try_to_observe(assignment)
            if after is None:
                continue
            if output in differences(before, after):
                self.scopes[output].add(name)
                self.classes.get(output, {}).pop(name, None)
                return
            before = after
        self.scopes[output] |= one.codes.keys() | other.codes.keys()
        self.classes.pop(output, None)

    def conditional(self) -> tuple[str, ...]:
        """Decisions that do not exist in every network."""
        return tuple(name for name in self.options if self.scopes.get(EXISTS + name))

    def _vary(self, base: Observation, count: int) -> Iterator[tuple[str, Observation, Observation]]:
        """Change one decision at a time; what changes with nothing appearing or vanishing goes into scopes at once."""
        for name in base.codes:
            others = [option for option in self.options[name] if option != base.assignment[name]]
            for option in spread(others, count) if count > 1 else self.rng.sample(others, min(count, len(others))):
                after = self.try_to_observe({**base.assignment, name: option})
                if after is None:
                    continue
                if after.codes.keys() != base.codes.keys():
                    yield name, base, after
                    continue
                for output in differences(base, after):
                    self.scopes[output].add(name)


def differences(one: Observation, other: Observation) -> Iterator[str]:
    """Outputs in which two networks differ."""
    for output in one.outputs.keys() | other.outputs.keys():
        if not same(one.outputs.get(output, 0.0), other.outputs.get(output, 0.0)):
            yield output


def same(one: float, other: float) -> bool:
    """Equal but for the order of summation."""
    return one == other or abs(one - other) <= TOLERANCE * max(abs(one), abs(other))


def spread(options: Sequence[Choice], count: int) -> list[Choice]:
    """At most `count` of the options, the first and the last among them.

    >>> spread((1, 2, 3, 4, 5), 3), spread((1, 2), 3)
    ([1, 3, 5], [1, 2])
    """
    if len(options) <= count:
        return list(options)
    return [options[round(i * (len(options) - 1) / (count - 1))] for i in range(count)]
