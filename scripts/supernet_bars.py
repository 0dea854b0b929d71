"""What `benchmark_supernet.py` is held to, and how its figures stand to that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SMALL_BARS = {
    "tau": ">= 0.60",
    "tau_in_band": ">= 0.35",
    "controls_above_in_band": "<= 0",
    "tau_two_supernets": ">= 0.70",
    "train_seconds": "<= 600",
    "level_within_4_share": ">= 1",
    "level_not_4_below_share": ">= 1",
    "shorter_level_within_4_share": ">= 1",
    "finetuned_above_standalone": ">= 0.9",
    "rivals_above": "<= 0",
    "overhead": "<= 1.15",
    "waiting_share": "<= 0.03",
    "score_seconds": "<= 0.5",
    "cached_ms": "<= 1",
    "decoding_share": ">= 0.9",
}
FULL_BARS = SMALL_BARS | {"tau": ">= 0.75"}


def met(value: float, bar: str) -> bool:
    """Whether a figure keeps to its bar, `<= limit` or `>= limit`."""
    relation, limit = bar.split()
    return value <= float(limit) if relation == "<=" else value >= float(limit)


def lines(result: Mapping[str, Any], bars: Mapping[str, str]) -> list[str]:
    """One line a bar, then the controls and the rivals."""
    rows = []
    for name, bar in bars.items():
        value = result.get(name)
        if value is not None:
            rows.append(f"{name:28} {value:>10.4g}  {bar:8} {'ok' if met(value, bar) else 'MISSED'}")
    for name, found in result.get("rankings", {}).items():
        told = ", ".join(f"{key} {value:.2f}" for key, value in found.items() if value is not None)
        rows.append(f"{name}: {told}")
    rows += _rivals(result.get("rivals", []))
    return rows + [f"{part}: {error}" for part, error in result.get("errors", {}).items()]


def _rivals(rivals: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"{row['budget_ms']:.4f} ms  {row['network']:22} {row['measured_ms']:.4f} ms  {row['accuracy']:.4f}  "
        f"seed {row['seed']}"
        for row in rivals
    ]
