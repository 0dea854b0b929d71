"""Errors that users read: what relation broke, the values, what to do next.

Each class owns the exit code of the commands: 2 bad input, 3 no architecture fits, 4 storage, 5 too many failures,
6 device.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class NasError(Exception):
    """Base of every error the package raises on purpose; its text is shown to the user without a traceback."""

    exit_code: ClassVar[int] = 1


class InputError(NasError):
    """The user's input is wrong: a key, a value, a file."""

    exit_code: ClassVar[int] = 2


class InfeasibleError(NasError):
    """No architecture of the space fits the budget."""

    exit_code: ClassVar[int] = 3


class StorageError(NasError):
    """A file or database could not be read or written."""

    exit_code: ClassVar[int] = 4


class TooManyFailuresError(NasError):
    """A long job gave up after repeated failures."""

    exit_code: ClassVar[int] = 5


class DeclinedError(NasError):
    """An evaluator finds a network not worth its score; the search goes on without it, and it counts as no failure."""


class DeviceError(NasError):
    """The target device or its runtime failed."""

    exit_code: ClassVar[int] = 6


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest known word, or an empty string.

    >>> did_you_mean("buget_ms", ["budget_ms", "seed"])
    " (did you mean 'budget_ms'?)"
    >>> did_you_mean("zzz", ["seed"])
    ''
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
