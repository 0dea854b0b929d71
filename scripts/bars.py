"""How a benchmark's figures stand to what it is held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def met(value: float, bar: str) -> bool:
    """Whether a figure keeps to its bar, `<= limit` or `>= limit`."""
    relation, limit = bar.split()
    return value <= float(limit) if relation == "<=" else value >= float(limit)


def lines(result: Mapping[str, Any], bars: Mapping[str, str], *, also: str = "", rows: Sequence[str] = ()) -> list[str]:
    """One line a bar that has its figure, then one a group of others, the rows, and one a part that failed.

    Args:
        result: Figures by name, and under `errors` the parts that failed.
        bars: What figures are held to, by the same names.
        also: The name in `result` of groups of figures that no bar holds: by the group's name, figures by theirs.
        rows: Further lines.
    """
    told = []
    for name, bar in bars.items():
        value = result.get(name)
        if value is not None:
            told.append(f"{name:28} {value:>12.4g}  {bar:10} {'ok' if met(value, bar) else 'MISSED'}")
    for name, figures in result.get(also, {}).items():
        known = ", ".join(f"{key} {value:.3g}" for key, value in figures.items() if value is not None)
        told.append(f"{name}: {known}")
    return [*told, *rows, *(f"{part}: {error}" for part, error in result.get("errors", {}).items())]
