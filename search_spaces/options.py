"""Checks of the options of a search space, and the nearest of them; shared by the families."""

from __future__ import annotations

from collections.abc import Sequence

from nas.errors import InputError, did_you_mean
from nas.space import Choice


def check_options(name: str, options: Sequence[float], *, least: float = 0, odd: bool = False) -> None:
    """Check the numbers (or booleans) that one decision offers, smallest first.

    Args:
        name: What they are called in the message.
        options: What is offered.
        least: None may be below.
        odd: All must be odd, as kernels are.

    Raises:
        InputError: There are none, they are unsorted or out of range.
    """
    if not options:
        raise InputError(f"{name} is empty; give at least one option")
    if list(options) != sorted(set(options)):
        raise InputError(f"{name} = {list(options)} must be ascending, without repetitions")
    if options[0] < least:
        raise InputError(f"{name} = {list(options)} must be positive, at least {least:g}")
    if odd and any(option % 2 == 0 for option in options):
        raise InputError(f"{name} = {list(options)} must be odd")


def check_words(name: str, options: Sequence[str], known: Sequence[str], *, what: str = "option") -> None:
    """Check the words that one decision offers.

    Args:
        name: What they are called in the message.
        options: What is offered.
        known: What there is.
        what: What one of them is.

    Raises:
        InputError: There are none, or one is unknown or given twice.
    """
    if not options:
        raise InputError(f"{name} is empty; give at least one option")
    for option in options:
        if option not in known:
            raise InputError(
                f"{name}: unknown {what} {option!r}{did_you_mean(option, known)}; known: {', '.join(known)}"
            )
    if len(set(options)) < len(options):
        raise InputError(f"{name} = {list(options)} must be without repetitions")


def check_counts(where: str, **counts: int) -> None:
    """Check that single numbers are at least 1.

    Raises:
        InputError: One is not.
    """
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"{where}: {name} = {count} must be at least 1")


def nearest(options: Sequence[Choice], wanted: float) -> Choice:
    """The option nearest to a number, the first of equally near ones."""
    return min(options, key=lambda option: abs(float(option) - wanted))
