"""How far predicted latencies are from measured ones, on networks that the table has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BAD_MAPE_PCT = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """Predicted against measured on held-out whole networks.

    Attributes:
        mape_pct: Mean absolute error, per cent of the measured time.
        within_5_pct: Share of networks within 5 %, per cent; the others likewise.
        kendall: Rank correlation (tau-a).
        noise_pct: Split-half disagreement of the measurements themselves: no predictor can be shown to be better.
        predicted_ms, measured_ms: The pairs.
    """

    networks: int
    mape_pct: float
    max_pct: float
    within_2_pct: float
    within_5_pct: float
    within_10_pct: float
    kendall: float
    noise_pct: float
    predicted_ms: tuple[float, ...]
    measured_ms: tuple[float, ...]

    @property
    def good(self) -> bool:
        """Whether searches may rely on the table without a warning."""
        return self.mape_pct <= BAD_MAPE_PCT


def prove(predicted_ms: NDArray[np.float64], measured_ms: NDArray[np.float64], *, noise_pct: float) -> Proof:
    """Compare predictions with measurements, both (networks,)."""
    errors_pct = np.abs(predicted_ms / measured_ms - 1) * 100
    return Proof(
        networks=len(errors_pct),
        mape_pct=float(errors_pct.mean()),
        max_pct=float(errors_pct.max()),
        within_2_pct=float((errors_pct <= 2).mean() * 100),
        within_5_pct=float((errors_pct <= 5).mean() * 100),
        within_10_pct=float((errors_pct <= 10).mean() * 100),
        kendall=kendall(predicted_ms, measured_ms),
        noise_pct=noise_pct,
        predicted_ms=tuple(round(float(ms), 6) for ms in predicted_ms),
        measured_ms=tuple(round(float(ms), 6) for ms in measured_ms),
    )


def kendall(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Kendall's tau-a of two sequences.

    >>> kendall(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    0.3333333333333333
    """
    first, second = np.triu_indices(len(a), k=1)
    if not len(first):
        return 1.0
    return float(np.mean(np.sign(a[first] - a[second]) * np.sign(b[first] - b[second])))
