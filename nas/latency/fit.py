"""Rows of a table from two independent views of the same networks.

The profiler says how a network's time divides among its kernels, but adds to every node; end-to-end times say how much
it is in all, but not where. Together, with

    A (networks, kernels)  how often each network runs each kernel
    y (networks,)          end-to-end times, microseconds
    d (kernels,)           profiled times, microseconds        n (kernels,) nodes profiled

    p = a d - b n                what the profiler says, a and its overhead b fitted so that A p ~ y
    s = what similar kernels make of p (`similar.Similar`): a kernel seen in one network borrows from its relatives
    r = s (1 + e), A r ~ y       the rows; e is normal around 0, alike for kernels that are alike

Measured on unseen networks, 0.8 to 1.2 % noise in the measurements: 28 px 0.7 %, 224 px with fixed widths 0.9 %, with
random widths 1.6 % (2.2 % without s and with independent e).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.latency.kernels import Kernel
from nas.latency.runtimes import LayerProfile
from nas.latency.similar import Similar
from nas.latency.timing import Stats

SHARED_SD = 0.09  # of e, what alike kernels have in common
OWN_SD = 0.03  # of e, each kernel's own
NETWORK_SD = 0.01  # how far a network's sum may miss its measured time, relative
LEAST_OVERLAP = 0.2  # share of the networks' time in known rows from which their level is trusted
DECIMALS = 4  # of a row's microseconds; rounded when made, so that a table read back prices the same
LEAST_SHARE = 0.05  # of the profiled time; keeps a row of the shortest kernels positive
NOTHING = LayerProfile(
    profiled_us=0.0, nodes=0, stats=Stats(runs=0, median_us=0.0, min_us=0.0, iqr_us=0.0, split_half=0.0)
)  # of a layer for which nothing runs

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        us: What the kernel adds to a network's time, microseconds.
        profiled_us: What the profiler said, its overhead included.
        nodes: Nodes the runtime ran for it.
        networks: Networks it was seen in.
        disagreement: How far end-to-end times moved the row from what the profiler said, relative.
        stats: Of the profiled runs in the network that the profiled time is the median of.
    """

    us: float
    profiled_us: float
    nodes: int
    networks: int
    disagreement: float
    stats: Stats


@dataclass(frozen=True, kw_only=True, slots=True)
class Overhead:
    """How profiled times become real ones: `scale * profiled_us - node_us * nodes`."""

    scale: float
    node_us: float


NO_OVERHEAD = Overhead(scale=1.0, node_us=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """One measured network: its kernels, its end-to-end time and its profile."""

    kernels: tuple[Kernel, ...]
    total_us: float
    profile: Mapping[str, LayerProfile]


def fit_rows(
    observations: Sequence[Observation],
    *,
    known: Mapping[str, Row],
    overhead: Overhead | None = None,
    grain: int,
    refine: bool = True,
) -> tuple[dict[str, Row], Overhead]:
    """Rows of every kernel seen that is not known yet; the known ones set the level and stay as they are.

    Args:
        observations: The measured networks.
        known: Rows that exist already.
        overhead: The profiler's overhead where it is known; None: fitted.
        grain: Channels that the runtime computes together.
        refine: Whether similar kernels and end-to-end times correct what the profiler says. With a handful of networks
            one noisy total would move a row by its whole size.
    """
    views = _views(observations)
    if overhead is None:
        overhead = _fit_overhead(views)
    prior_us = np.maximum(
        overhead.scale * views.profiled_us - overhead.node_us * views.nodes, LEAST_SHARE * views.profiled_us
    )
    is_known = np.array([key in known for key in views.keys])
    known_us = np.array([known[key].us if key in known else 0.0 for key in views.keys])
    drift = _drift(views.uses[:, is_known] @ known_us[is_known], views.uses[:, is_known] @ prior_us[is_known], views)
    prior_us = np.where(is_known, known_us, prior_us * drift)
    moved = np.zeros(len(prior_us))
    if refine and not is_known.all():
        prior_us, moved = _refined(views, prior_us, is_known, views.totals_us * drift, grain)
    rows = {
        key: Row(
            us=round(float(prior_us[i] * (1 + moved[i])), DECIMALS),
            profiled_us=round(float(views.profiled_us[i]), DECIMALS),
            nodes=int(views.nodes[i]),
            networks=int(views.sights[i]),
            disagreement=round(float(moved[i]), DECIMALS),
            stats=views.stats[i],
        )
        for i, key in enumerate(views.keys)
        if not is_known[i]
    }
    return rows, overhead


@dataclass(frozen=True, slots=True)
class _Views:
    """What was measured, as in the glossary above; `sights` counts the networks of each kernel."""

    keys: list[str]
    uses: Floats
    totals_us: Floats
    profiled_us: Floats
    nodes: Floats
    sights: Floats
    stats: list[Stats]


def _views(observations: Sequence[Observation]) -> _Views:
    seen: dict[str, list[LayerProfile]] = {}
    for item in observations:
        for kernel in item.kernels:
            seen.setdefault(kernel.key, []).append(_together([item.profile.get(name) for name in kernel.layers]))
    places = {key: i for i, key in enumerate(seen)}
    uses = np.zeros((len(observations), len(seen)))
    for i, item in enumerate(observations):
        for kernel in item.kernels:
            uses[i, places[kernel.key]] += 1
    typical = [sorted(found, key=lambda layer: layer.profiled_us)[len(found) // 2] for found in seen.values()]
    return _Views(
        keys=list(seen),
        uses=uses,
        totals_us=np.array([item.total_us for item in observations]),
        profiled_us=np.array([np.median([layer.profiled_us for layer in found]) for found in seen.values()]),
        nodes=np.array([float(np.median([layer.nodes for layer in found])) for found in seen.values()]),
        sights=(uses > 0).sum(axis=0).astype(float),
        stats=[layer.stats for layer in typical],
    )


def _together(layers: Sequence[LayerProfile | None]) -> LayerProfile:
    """The profile of a kernel from those of its layers; the spread is that of the longest."""
    found = [layer for layer in layers if layer is not None]
    longest = max(found, key=lambda layer: layer.profiled_us, default=NOTHING)
    return LayerProfile(
        profiled_us=sum(layer.profiled_us for layer in found),
        nodes=sum(layer.nodes for layer in found),
        stats=longest.stats,
    )


def _fit_overhead(views: _Views) -> Overhead:
    sums = [views.uses @ views.profiled_us, -(views.uses @ views.nodes)]
    relative: Floats = np.stack(sums, axis=1) / views.totals_us[:, None]
    (scale, node_us), *_ = np.linalg.lstsq(relative, np.ones(len(relative)), rcond=None)
    return Overhead(scale=float(scale), node_us=float(node_us))


def _drift(known_us: Floats, now_us: Floats, views: _Views) -> float:
    """Speed of the machine when the known rows were made over its speed now; 1 where too little of them is seen."""
    if now_us.sum() < LEAST_OVERLAP * views.totals_us.sum():
        return 1.0
    return float(known_us.sum() / now_us.sum())


def _refined(
    views: _Views, prior_us: Floats, is_known: NDArray[np.bool_], totals_us: Floats, grain: int
) -> tuple[Floats, Floats]:
    """The smoothed rows s and the corrections e; known rows and kernels for which nothing runs stay as they are."""
    open_ = ~is_known & (views.nodes > 0)
    keys = np.array(views.keys, dtype=object)
    runs = is_known | open_
    similar = Similar(keys[runs].tolist(), prior_us[runs], views.sights[runs], grain=grain)
    smooth_us = prior_us.copy()
    smooth_us[open_] = similar.us(keys[open_].tolist())
    shares = views.uses[:, open_] * smooth_us[open_] / totals_us[:, None]
    missing = 1 - views.uses @ smooth_us / totals_us
    alike = SHARED_SD**2 * similar.likeness(keys[open_].tolist())
    alike[np.diag_indices(len(alike))] += OWN_SD**2
    spread = alike @ shares.T
    moved = np.zeros(len(prior_us))
    moved[open_] = spread @ np.linalg.solve(shares @ spread + NETWORK_SD**2 * np.eye(len(missing)), missing)
    return smooth_us, np.maximum(moved, LEAST_SHARE - 1)
