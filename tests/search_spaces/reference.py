"""The literature's exact counts, from the shared file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from nas.arch import Arch, cost

FILE = Path(__file__).parents[3] / "shared" / "data" / "zoo_reference.csv"


def exact() -> dict[str, tuple[int, int]]:
    """Name -> parameters and MACs at 224 px."""
    if not FILE.exists():
        return {}
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["params_exact"]]
    return {row["name"]: (int(row["params_exact"]), int(row["macs_conv_linear_224"])) for row in rows}


def assert_counts(members: Mapping[str, Callable[..., Arch]], prefix: str) -> None:
    """Every network of a family in the file is a member and counts exactly."""
    known = {name: counts for name, counts in exact().items() if name.startswith(prefix)}
    if not known:
        pytest.skip(f"{FILE} is not here")
    found = {name: cost(members[name]()) for name in known}
    assert {name: (counted.params, counted.macs) for name, counted in found.items()} == known
