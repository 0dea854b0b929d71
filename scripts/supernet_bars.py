"""What `benchmark_supernet.py` is held to, and how its figures stand to that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bars

SMALL_BARS = {
    "tau": ">= 0.60",
    "tau_in_band": ">= 0.35",
    "controls_above_in_band": "<= 0",
    "controls_above_partial": "<= 0",
    "tau_two_supernets": ">= 0.70",
    "train_seconds": "<= 600",
    "level_within_4_share": ">= 1",
    "finetuned_above_standalone": ">= 0.9",
    "rivals_above": "<= 0",
    "overhead": "<= 1.15",
    "waiting_share": "<= 0.03",
    "score_seconds": "<= 0.5",
    "cached_ms": "<= 1",
    "decoding_share": ">= 0.9",
}
FULL_BARS = SMALL_BARS | {"tau": ">= 0.75"}


def lines(result: Mapping[str, Any], held_to: Mapping[str, str]) -> list[str]:
    """One line a bar, then the controls and the rivals."""
    return bars.lines(result, held_to, also="rankings", rows=_rivals(result.get("rivals", [])))


def _rivals(rivals: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"{row['budget_ms']:.4f} ms  {row['network']:22} {row['measured_ms']:.4f} ms  {row['accuracy']:.4f}  "
        f"seed {row['seed']}"
        for row in rivals
    ]
