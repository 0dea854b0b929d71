"""How far predicted latencies are from measured ones, on networks that the table has not seen.

Glossary, for networks i and parts k (the kinds of ops, or the stages)

    m (i,)  measured, p (i,) predicted, w (i, k) shares of p: every row adds up to 1
    r (i,)  what the predictions lack, m / p - 1 = w b + noise
    b (k,)  what a part lacks, of normal distribution around 0 with `PRIOR`; told by its posterior mean and deviation
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

BAD_MAPE_PCT = 5.0
BAND = 0.03  # relative distance within which networks count as of the same MACs
PRIOR = 0.05  # how far a part's prediction may be off, relative, before anything is measured; standard deviation
LEAST_NOISE = 1e-3  # relative; keeps perfect predictions from dividing by nothing

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """How far the predictions of one kind of op, or of one stage, are off, as whole networks' errors tell it.

    Attributes:
        share_pct: Of the predicted time, per cent, mean over the networks.
        error_pct: Predicted over real, less one; per cent.
        sd_pct: Standard deviation of that; a part that never varies apart from others cannot be told from them.
    """

    name: str
    share_pct: float
    error_pct: float
    sd_pct: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """Predicted against measured on held-out whole networks.

    Attributes:
        mape_pct: Mean absolute error, per cent of the measured time.
        within_5_pct: Share of networks within 5 %, per cent; the others likewise.
        spearman, kendall: Rank correlations (Kendall's tau-a).
        kendall_equal_flops: Kendall's tau-a over the networks' pairs with MACs within `BAND`; None: no such pair.
        noise_pct: Split-half disagreement of the measurements themselves: no predictor can be shown to be better.
        by_kind, by_stage: Where the error lies.
        predicted_ms, measured_ms: The pairs.

    Raises:
        ValueError: The pairs are not those of so many networks, or not positive.
    """

    networks: int
    mape_pct: float
    max_pct: float
    within_2_pct: float
    within_5_pct: float
    within_10_pct: float
    spearman: float
    kendall: float
    kendall_equal_flops: float | None
    noise_pct: float
    by_kind: tuple[Part, ...]
    by_stage: tuple[Part, ...]
    predicted_ms: tuple[float, ...]
    measured_ms: tuple[float, ...]

    def __post_init__(self) -> None:
        counts = (len(self.predicted_ms), len(self.measured_ms))
        if self.networks < 1 or counts != (self.networks, self.networks):
            raise ValueError(f"networks = {self.networks}, with {counts[0]} predicted and {counts[1]} measured times")
        if min(self.predicted_ms + self.measured_ms) <= 0 or min(self.mape_pct, self.max_pct) < 0:
            raise ValueError("latencies must be positive, errors must not be negative")

    @property
    def good(self) -> bool:
        """Whether searches may rely on the table without a warning."""
        return self.mape_pct <= BAD_MAPE_PCT


class Share(Protocol):
    """One kernel's part of a predicted latency; see `nas.latency.model.Share`."""

    @property
    def layer(self) -> str: ...  # noqa: D102 - told by the class

    @property
    def kernel(self) -> str: ...  # noqa: D102 - same

    @property
    def ms(self) -> float: ...  # noqa: D102 - same


def prove(
    predicted_ms: Floats,
    measured_ms: Floats,
    *,
    noise_pct: float,
    macs: Sequence[float],
    breakdowns: Sequence[Sequence[Share]] = (),
) -> Proof:
    """Compare predictions with measurements, all of the same networks in the same order.

    Args:
        predicted_ms: Of the networks, (networks,).
        measured_ms: The same.
        noise_pct: Split-half disagreement of the measurements.
        macs: Multiply-accumulates of the networks.
        breakdowns: The predictions kernel by kernel; empty: nothing is said of where the error lies.
    """
    errors_pct = np.abs(predicted_ms / measured_ms - 1) * 100
    lacking = measured_ms / predicted_ms - 1
    return Proof(
        networks=len(errors_pct),
        mape_pct=float(errors_pct.mean()),
        max_pct=float(errors_pct.max()),
        within_2_pct=float((errors_pct <= 2).mean() * 100),
        within_5_pct=float((errors_pct <= 5).mean() * 100),
        within_10_pct=float((errors_pct <= 10).mean() * 100),
        spearman=spearman(predicted_ms, measured_ms),
        kendall=kendall(predicted_ms, measured_ms),
        kendall_equal_flops=kendall_within(predicted_ms, measured_ms, np.asarray(macs, dtype=np.float64)),
        noise_pct=noise_pct,
        by_kind=_parts(breakdowns, lambda share: kind_of(share.kernel), lacking),
        by_stage=_parts(breakdowns, lambda share: stage_of(share.layer), lacking),
        predicted_ms=tuple(round(float(ms), 6) for ms in predicted_ms),
        measured_ms=tuple(round(float(ms), 6) for ms in measured_ms),
    )


def kind_of(kernel: str) -> str:
    """Kind of op that a kernel's key names, with its window.

    >>> kind_of("dw 72 14px k5 s2 relu"), kind_of("se 72 14px sq24 hsigmoid relu")
    ('dw k5', 'se')
    """
    name, *words = kernel.split()
    return " ".join([name, *(word for word in words if word[0] == "k" and word[1:2].isdigit())])


def stage_of(layer: str) -> str:
    """Stage that a layer's name says.

    >>> stage_of("s2.b0.expand"), stage_of("stem")
    ('s2', 'stem')
    """
    return layer.partition(".")[0]


def _parts(breakdowns: Sequence[Sequence[Share]], name_of: Callable[[Share], str], lacking: Floats) -> tuple[Part, ...]:
    """What each part lacks, from what the networks lack."""
    names = list(dict.fromkeys(name_of(share) for shares in breakdowns for share in shares))
    if not names:
        return ()
    parts_ms = np.zeros((len(breakdowns), len(names)))
    for i, shares in enumerate(breakdowns):
        for share in shares:
            parts_ms[i, names.index(name_of(share))] += share.ms
    weights = parts_ms / parts_ms.sum(axis=1, keepdims=True)
    noise = max(float(np.sqrt(np.mean(lacking**2))), LEAST_NOISE)
    spread = np.linalg.inv(weights.T @ weights / noise**2 + np.eye(len(names)) / PRIOR**2)
    lacks = spread @ weights.T @ lacking / noise**2
    deviations = np.sqrt(np.diag(spread))
    return tuple(
        Part(
            name=name,
            share_pct=round(float(weights[:, k].mean()) * 100, 3),
            error_pct=round(float(1 / (1 + lacks[k]) - 1) * 100, 3),
            sd_pct=round(float(deviations[k]) * 100, 3),
        )
        for k, name in enumerate(names)
    )


def spearman(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation of two sequences; equal values share their mean rank.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    0.5
    """
    ranks = [_ranks(values) - (len(values) - 1) / 2 for values in (a, b)]
    size = float(np.sqrt(np.sum(ranks[0] ** 2) * np.sum(ranks[1] ** 2)))
    return float(ranks[0] @ ranks[1]) / size if size else float(len(a) < 2)


def _ranks(values: Floats) -> Floats:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts + 1) / 2)[places]
    return ranks


def kendall(a: Floats, b: Floats) -> float:
    """Kendall's tau-a of two sequences.

    >>> kendall(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    0.3333333333333333
    """
    first, second = np.triu_indices(len(a), k=1)
    return _agreement(a, b, first, second) if len(first) else 1.0


def kendall_within(a: Floats, b: Floats, macs: Floats) -> float | None:
    """Kendall's tau-a over the pairs whose MACs are within `BAND` of each other; None where there is no such pair."""
    first, second = np.triu_indices(len(a), k=1)
    near = np.abs(macs[first] - macs[second]) <= BAND * np.maximum(macs[first], macs[second])
    return _agreement(a, b, first[near], second[near]) if near.any() else None


def _agreement(a: Floats, b: Floats, first: NDArray[np.intp], second: NDArray[np.intp]) -> float:
    return float(np.mean(np.sign(a[first] - a[second]) * np.sign(b[first] - b[second])))
