"""How well scores rank networks: Kendall's tau, among networks of like latency too, and what noise leaves possible.

Scores and accuracies are arrays (networks,); a tau is None where nothing varies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

Floats = NDArray[np.float64]
BAND = 1.1 / 0.9  # networks are alike that lie in one band of 10 % to both sides: by this ratio apart at most
RESAMPLED = 1000
SIMULATED = 400
COVERED = (2.5, 97.5)  # per cent


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """How scores rank networks whose accuracy is known.

    Attributes:
        tau, tau_low, tau_high: Kendall's, with the bootstrap's 95 % interval over networks.
        tau_in_band: Over the pairs that lie in a band of +-10 % latency: concordant less discordant, as a share.
        tau_partial: Of what is left of scores and accuracies when a line in log MACs is taken away.
    """

    tau: float | None
    tau_low: float | None
    tau_high: float | None
    tau_in_band: float | None
    tau_in_band_low: float | None
    tau_in_band_high: float | None
    tau_partial: float | None


def ranking(scores: Floats, accuracy: Floats, *, ms: Floats, macs: Floats) -> Ranking:
    """Compare scores with accuracies."""
    rng = np.random.default_rng(0)
    every = np.arange(len(scores))
    drawn = [rng.choice(every, len(every)) for _ in range(RESAMPLED)]
    whole = _interval(lambda of: tau(scores[of], accuracy[of]), every, drawn)
    band = _interval(lambda of: tau_in_band(scores[of], accuracy[of], ms[of]), every, drawn)
    return Ranking(
        tau=whole[0],
        tau_low=whole[1],
        tau_high=whole[2],
        tau_in_band=band[0],
        tau_in_band_low=band[1],
        tau_in_band_high=band[2],
        tau_partial=tau(_without(scores, np.log(macs)), _without(accuracy, np.log(macs))),
    )


def tau(left: Floats, right: Floats) -> float | None:
    """Kendall's tau-b."""
    if np.ptp(left) < 1e-12 or np.ptp(right) < 1e-12:
        return None
    return float(kendalltau(left, right).statistic)


def tau_in_band(scores: Floats, accuracy: Floats, ms: Floats) -> float | None:
    """Concordance of the pairs of like latency; a pair that ties counts as neither."""
    i, j = np.triu_indices(len(ms), 1)
    alike = (np.maximum(ms[i], ms[j]) <= BAND * np.minimum(ms[i], ms[j])) & (accuracy[i] != accuracy[j])
    i, j = i[alike], j[alike]
    if not len(i):
        return None
    return float(np.mean(np.sign(scores[i] - scores[j]) * np.sign(accuracy[i] - accuracy[j])))


def pairs_in_band(ms: Floats) -> int:
    """Pairs of networks of like latency."""
    i, j = np.triu_indices(len(ms), 1)
    return int((np.maximum(ms[i], ms[j]) <= BAND * np.minimum(ms[i], ms[j])).sum())


def ceiling(accuracy: Floats, *, ms: Floats) -> Mapping[str, Any]:
    """What noise of the truth leaves possible, from its repetitions.

    True accuracies are simulated with the variance that is left of the means' when that of the noise is taken away,
    along the latency as the means lie; their tau with themselves plus noise is what a perfect predictor would reach.

    Args:
        accuracy: (networks, seeds); NaN where a network was not trained with a seed.
        ms: (networks,).
    """
    rng, seeds = np.random.default_rng(0), np.isfinite(accuracy).sum(axis=1)
    sure = accuracy[seeds == accuracy.shape[1]]
    noise = float(np.sqrt(sure.var(axis=1, ddof=1).mean()))
    mean = np.nanmean(accuracy, axis=1)
    trend = mean - _without(mean, np.log(ms))
    left = max(0.0, float((mean - trend).var() - (noise**2 / seeds).mean()))
    sd, taus, bands = np.sqrt(left), [], []
    for _ in range(SIMULATED):
        true = trend + rng.normal(0, sd, len(ms))
        seen = true + rng.normal(0, noise / np.sqrt(seeds), len(ms))
        taus.append(tau(true, seen) or 0.0)
        bands.append(tau_in_band(true, seen, ms) or 0.0)
    return {
        "noise_points": 100 * noise,
        "spread_points": 100 * float(mean.std()),
        "spread_beyond_latency_points": 100 * float(sd),
        "ceiling_tau": float(np.mean(taus)),
        "ceiling_tau_in_band": float(np.mean(bands)),
        "tau_between_seeds": tau(sure[:, 0], sure[:, 1]),
    }


def plain(found: Ranking) -> dict[str, Any]:
    """For JSON."""
    return asdict(found)


def _without(values: Floats, by: Floats) -> Floats:
    """What a line in `by` does not explain."""
    line = np.polyfit(by, values, 1) if np.ptp(by) > 1e-12 else np.array([values.mean()])
    residual: Floats = values - np.polyval(line, by)
    return residual


def _interval(
    of: Callable[[NDArray[np.int64]], float | None], every: NDArray[np.int64], drawn: list[NDArray[np.int64]]
) -> tuple[float | None, float | None, float | None]:
    resampled = [value for value in (of(chosen) for chosen in drawn) if value is not None]
    low, high = np.percentile(resampled, COVERED) if resampled else (None, None)
    return of(every), low if low is None else float(low), high if high is None else float(high)
