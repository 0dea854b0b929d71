"""How long work tells that it advances; library code calls it and never prints."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int, str], None]  # stage, steps done, steps in all, note ("" or a few words)


def silent(_stage: str, _done: int, _total: int, _note: str) -> None:
    """Report nothing."""
