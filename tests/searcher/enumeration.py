"""All networks of a small space, by trying every option of every decision as it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nas.space import Choice, Choices, Space, record


class _Fork(Exception):  # noqa: N818  control flow
    def __init__(self, name: str, options: Sequence[Choice]) -> None:
        super().__init__()
        self.name = name
        self.options = options


def everything(space: Space[Any], given: Choices | None = None) -> Iterator[tuple[Any, Choices]]:
    """Every network with its choices."""
    chosen = given or {}

    def choose(name: str, options: Sequence[Choice]) -> Choice:
        if name not in chosen:
            raise _Fork(name, options)
        return chosen[name]

    try:
        yield record(space, choose)
    except _Fork as fork:
        for option in fork.options:
            yield from everything(space, {**chosen, fork.name: option})
