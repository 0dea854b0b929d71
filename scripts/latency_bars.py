"""What `benchmark_latency.py` is held to, and how its figures stand to that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bars

BARS = {
    "mape_pct": "<= 1.1",
    "max_pct": "<= 5",
    "within_2_pct": ">= 88",
    "within_5_pct": ">= 100",
    "kendall": ">= 0.965",
    "kendall_equal_flops": ">= 0.8",
    "noise_pct": "<= 1.3",
    "mape_uncalibrated_pct": "<= 2.5",
    "build_seconds": "<= 90",
    "widths_mape_pct": "<= 1.6",
    "widths_within_5_pct": ">= 100",
    "build_widths_seconds": "<= 180",
    "cost_exponent": "<= 1",
    "small_mape_pct": "<= 3",
    "small_within_10_pct": ">= 100",
    "efficientnet_mape_pct": "<= 2",
    "archs_per_second": ">= 100000",
    "arch_us": "<= 50",
    "prices_that_differ": "<= 0",
    "one_prices_that_differ": "<= 0",
    "drift_points": "<= 0.4",
    "violations": "<= 0",
    "median_use_pct": ">= 96",
}


def lines(result: Mapping[str, Any]) -> list[str]:
    """One line a bar, then one a baseline."""
    return bars.lines(result, BARS, also="baselines")
