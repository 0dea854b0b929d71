"""Tables of probed outputs: every combination of the decisions that an output depends on, seen in a real network.

One network fills a row of every table, so as many networks are built as the largest table has rows, and few more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nas.additive.missing import Missing
from nas.additive.probing import EXISTS, MANY, Assignment, Observation, Prober, same

MAX_ROWS = 20_000  # of one table; beyond it a latency does not count as a sum over few decisions
ATTEMPTS = 4  # networks without a latency, in each of which a row is, before the row is given up
CHECKS = 60  # random networks that the finished tables must agree with


class TooWideError(Exception):
    """An output depends on more decisions than can be tabulated, or on something that is no decision."""


class Conflict(Exception):  # noqa: N818  not an error: the probing goes on with a wider scope
    """Two networks that agree on a scope differ in an output."""

    def __init__(self, outputs: Iterable[str], one: Observation, other: Observation) -> None:
        super().__init__()
        self.outputs = tuple(outputs)
        self.one = one
        self.other = other


@dataclass(kw_only=True, slots=True)
class Table:
    """The sum of some outputs that depend on the same decisions.

    Attributes:
        scope: Decisions.
        classes: Of each decision in the scope: the class of each code.
        rows: Classes of the scope -> the value and the network it was first seen in.
        closure: The scope and all that its existence depends on.
        missing: Rows not seen yet, with options of `closure`.
    """

    scope: tuple[str, ...]
    outputs: frozenset[str]
    classes: tuple[tuple[int, ...], ...]
    rows: dict[tuple[int, ...], tuple[float, Observation]] = field(default_factory=dict)
    closure: tuple[str, ...] = ()
    missing: Missing = field(default_factory=lambda: Missing({}))

    def enter(self, observation: Observation) -> None:
        """Note a network's row.

        Raises:
            Conflict: The row was seen with another value.
        """
        codes = observation.codes
        row = tuple(classes[codes.get(name, 0)] for name, classes in zip(self.scope, self.classes, strict=True))
        value = math.fsum(observation.outputs.get(output, 0.0) for output in self.outputs)
        known = self.rows.setdefault(row, (value, observation))
        if not same(known[0], value):
            raise Conflict(self.outputs, known[1], observation)
        self.missing.discard(row)


def fill(prober: Prober) -> tuple[list[Table], list[Table]]:
    """Tabulate all outputs; existence first, because it says which rows the others have.

    Returns:
        Tables of existence, one a conditional decision, and tables of the other outputs, joined where one scope
        holds the other.

    Raises:
        TooWideError: A table would have more than `MAX_ROWS` rows, or networks of the same decisions differ.
    """
    while True:
        learnt = _learnt(prober)
        try:
            exists: list[Table] = []
            for name in in_order(prober):
                exists.append(_table(prober, EXISTS + name))
                _complete(prober, exists[-1:], exists)
            costs = _joined(prober)
            _complete(prober, costs, exists)
            for _ in range(CHECKS):
                _observe(prober, prober.random_assignment(), (*exists, *costs))
        except Conflict as conflict:
            _widen(prober, conflict)
            if _learnt(prober) == learnt:  # every decision is in the scope and it still differs: chance, or state
                raise TooWideError from None
        else:
            return exists, costs


def _learnt(prober: Prober) -> tuple[int, int, int]:
    """What only ever changes in one direction: outputs, decisions in their scopes, outputs with classes."""
    return len(prober.scopes), sum(map(len, prober.scopes.values())), sum(map(len, prober.classes.values()))


def _widen(prober: Prober, conflict: Conflict) -> None:
    for output in conflict.outputs:
        one, other = conflict.one.outputs.get(output, 0.0), conflict.other.outputs.get(output, 0.0)
        if not same(one, other):
            prober.learn(output, conflict.one, conflict.other)


def in_order(prober: Prober) -> list[str]:
    """Conditional decisions, each after those that its existence depends on."""
    ordered: list[str] = []

    def visit(name: str, above: frozenset[str]) -> None:
        for parent in sorted(prober.scopes.get(EXISTS + name, ())):
            if parent not in above:
                visit(parent, above | {name})
        if name not in ordered and prober.scopes.get(EXISTS + name):
            ordered.append(name)

    for name in prober.options:
        visit(name, frozenset({name}))
    return ordered


def _ordered(prober: Prober, names: Iterable[str]) -> tuple[str, ...]:
    wanted = set(names)
    return tuple(name for name in prober.options if name in wanted)


def _table(prober: Prober, output: str) -> Table:
    scope = _ordered(prober, prober.scopes[output])
    classes = tuple(prober.classes_of(output, name) for name in scope)
    return Table(scope=scope, outputs=frozenset({output}), classes=classes)


def _joined(prober: Prober) -> list[Table]:
    tables: list[Table] = []
    single = [_table(prober, output) for output in prober.scopes if not output.startswith(EXISTS)]
    for table in sorted(single, key=lambda table: -math.prod(len(set(classes)) for classes in table.classes)):
        home = next((i for i, other in enumerate(tables) if _holds(other, table)), None)
        if home is None:
            tables.append(table)
        else:
            outputs = tables[home].outputs | table.outputs
            tables[home] = replace(tables[home], outputs=outputs, rows={})
    return tables


def _holds(table: Table, other: Table) -> bool:
    """Whether a table tells apart all that another does."""
    mine = dict(zip(table.scope, table.classes, strict=True))
    return all(
        name in mine and len(set(zip(mine[name], classes, strict=True))) == len(set(mine[name]))
        for name, classes in zip(other.scope, other.classes, strict=True)
    )


def _complete(prober: Prober, tables: Sequence[Table], exists: Sequence[Table]) -> None:
    """Build networks until the tables have all their rows."""
    known = {next(iter(table.outputs)).removeprefix(EXISTS): table for table in exists}
    for table in tables:
        table.closure = _closure(prober, table.scope)
        table.missing = Missing(_rows(prober, table, known))
        for observation in prober.seen:
            table.enter(observation)
    while pending := [table for table in tables if table.missing]:
        wanted = dict(_pack(pending))
        assignment = prober.random_assignment() | {name: prober.options[name][i] for name, i in wanted.items()}
        if not _observe(prober, assignment, (*exists, *tables)):
            _refuse(prober, wanted, pending, (*exists, *tables))


def _refuse(prober: Prober, wanted: Mapping[str, int], tables: Sequence[Table], entered: Sequence[Table]) -> None:
    """Look at the rows of a network that had no latency one by one; a row that never has one is left out for good."""
    for table in tables:
        options = tuple(wanted.get(name, -1) for name in table.closure)
        found = table.missing.first(enumerate(options))
        fixed = {name: prober.options[name][i] for name, i in zip(table.closure, options, strict=True) if i >= 0}
        if found and not any(_observe(prober, prober.random_assignment() | fixed, entered) for _ in range(ATTEMPTS)):
            table.missing.discard(found[0])


def _observe(prober: Prober, assignment: Assignment, tables: Iterable[Table]) -> bool:
    """Build a network and enter it; False when it has no latency. An output that no table has is a conflict."""
    known = len(prober.scopes)
    observation = prober.try_to_observe(assignment)
    if observation is None:
        return False
    for table in tables:
        table.enter(observation)
    if len(prober.scopes) != known:
        raise Conflict((), observation, observation)
    return True


def _pack(tables: Sequence[Table]) -> Iterator[tuple[str, int]]:
    """Options that give one network a missing row in as many tables as a greedy look finds."""
    fixed: dict[str, int] = {}
    for table in sorted(tables, key=lambda table: -len(table.missing)):
        found = table.missing.first((k, fixed[name]) for k, name in enumerate(table.closure) if name in fixed)
        if found:
            fixed.update(zip(table.closure, found[1], strict=True))
    yield from fixed.items()


def _closure(prober: Prober, scope: Iterable[str]) -> tuple[str, ...]:
    names, new = set(scope), set(scope)
    while new:
        new = set().union(*(prober.scopes.get(EXISTS + name, set()) for name in new)) - names
        names |= new
    return _ordered(prober, names)


def _rows(prober: Prober, table: Table, exists: dict[str, Table]) -> dict[tuple[int, ...], tuple[int, ...]]:
    """The rows that a table needs, each with options of its closure that lead there."""
    sizes = [len(prober.options[name]) for name in table.closure]
    if math.prod(sizes) > 10 * MAX_ROWS:
        raise TooWideError
    grid = np.indices(sizes).reshape(len(sizes), math.prod(sizes))  # (decisions of the closure, combinations)
    place = {name: k for k, name in enumerate(table.closure)}
    for k, size in enumerate(sizes):
        if size > MANY:  # any option may stand for its class
            grid[k] = np.array(prober.rng.sample(range(size), size))[grid[k]]
    codes = grid + 1
    for name in in_order(prober):
        if name in place and name in exists:
            codes[place[name]] *= _present(exists[name], codes, place)
    marks = [np.array(classes)[codes[place[name]]] for name, classes in zip(table.scope, table.classes, strict=True)]
    rows: dict[tuple[int, ...], tuple[int, ...]] = {}
    columns = np.stack(marks, axis=1).tolist() if marks else [[]]
    for row, options in zip(columns, grid.T.tolist(), strict=True):
        rows[tuple(row)] = tuple(options)  # the last one: the deepest network that has the row
    if len(rows) > MAX_ROWS:
        raise TooWideError
    return rows


def _present(table: Table, codes: NDArray[np.int64], place: dict[str, int]) -> NDArray[np.int64]:
    """Whether a decision exists, by the codes of those that decide it."""
    names = [place[name] for name in table.scope]
    return np.array([table.rows.get(tuple(row), (0.0, None))[0] for row in codes[names].T.tolist()], dtype=np.int64)
