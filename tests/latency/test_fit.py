"""Planted rows come back from synthetic measurements."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from nas.arch import Kind, Op
from nas.latency.fit import Observation, Overhead, Row, fit_rows
from nas.latency.kernels import Kernel
from nas.latency.runtimes import LayerProfile
from tests.latency.conftest import STATS, row
from tests.latency.simulated import GRAIN, true_us

OP = Op(kind=Kind.ACT, in_channels=8, out_channels=8, in_px=4, out_px=4)
CONVS = tuple(
    f"conv {first}>{second} {px}px k{kernel} {act}"
    for first, second in ((16, 32), (32, 64), (64, 32), (96, 160))
    for px, kernel, act in ((14, 1, "relu"), (28, 1, "relu"), (14, 1, "hswish"), (14, 3, "relu"), (7, 1, "+sum"))
)
KEYS = (
    *CONVS,
    *(f"dw {width} {px}px k{kernel} relu" for width in (16, 32, 64, 96) for px in (14, 28) for kernel in (3, 5)),
    *("global_pool 160 7px", "linear 160>10 1px", "se 64 14px sq16 hsigmoid relu", "se 96 14px sq32 hsigmoid relu"),
)
NODES = {key: 1 + i % 3 for i, key in enumerate(KEYS)}
TRUE_US = {key: true_us(key) for key in KEYS}
PROFILER = Overhead(scale=0.9, node_us=0.5)
EXACT = Overhead(scale=1.0, node_us=0.0)


def measured(
    count: int,
    *,
    seed: int = 0,
    noise: float = 0.0,
    bias: float = 0.0,
    speed: float = 1.0,
    errs: Mapping[str, float] | None = None,
) -> list[Observation]:
    """Networks of 25 kernels.

    Args:
        count: Of networks.
        seed: Of their kernels.
        noise: Of end-to-end times, relative.
        bias: How far the profiler errs on each kernel, relative.
        speed: The machine's slowness.
        errs: Kernel -> what the profiler says over what it should, beside the bias.
    """
    rng, wrong = np.random.default_rng(seed), np.random.default_rng(1)
    said = {key: 1 + bias * wrong.standard_normal() for key in KEYS} | dict(errs or {})
    observations = []
    for _ in range(count):
        kernels = tuple(
            Kernel(key=str(key), layers=(f"layer{i}", f"layer{i}.sum"), op=OP)
            for i, key in enumerate(rng.choice(KEYS, 25))
        )
        total_us = speed * sum(TRUE_US[kernel.key] for kernel in kernels) * (1 + noise * rng.standard_normal())
        profile = {
            kernel.layers[0]: LayerProfile(
                profiled_us=(speed * TRUE_US[kernel.key] * said[kernel.key] + PROFILER.node_us * NODES[kernel.key])
                / PROFILER.scale,
                nodes=NODES[kernel.key],
                stats=STATS,
            )
            for kernel in kernels
        }
        observations.append(Observation(kernels=kernels, total_us=total_us, profile=profile))
    return observations


def errors(rows: Mapping[str, Row]) -> np.ndarray:
    return np.array([abs(found.us / TRUE_US[key] - 1) for key, found in rows.items()])


def total_error(rows: Mapping[str, Row], observations: list[Observation]) -> float:
    """Mean relative error of whole networks' sums."""
    sums = np.array([sum(rows[kernel.key].us for kernel in seen.kernels) for seen in observations])
    return float(np.mean(np.abs(sums / np.array([seen.total_us for seen in observations]) - 1)))


def test_rows_and_the_profilers_overhead_come_back() -> None:
    rows, overhead = fit_rows(measured(60), known={}, grain=GRAIN)
    assert set(rows) == set(KEYS)
    assert errors(rows).max() < 0.03
    assert errors(rows).mean() < 0.005
    assert (overhead.scale, overhead.node_us) == (pytest.approx(PROFILER.scale), pytest.approx(PROFILER.node_us))
    assert {key: found.nodes for key, found in rows.items()} == NODES
    assert all(1 <= found.networks <= 60 and found.stats == STATS for found in rows.values())
    assert max(abs(found.disagreement) for found in rows.values()) < 0.03


def test_without_refinement_rows_are_what_the_profiler_says() -> None:
    rows, _ = fit_rows(measured(60), known={}, grain=GRAIN, refine=False)
    assert errors(rows).max() < 1e-4
    assert all(found.disagreement == 0 for found in rows.values())


def test_noise_and_a_profiler_that_errs_by_kernel_average_out() -> None:
    rows, _ = fit_rows(measured(200, noise=0.02, bias=0.15), known={}, grain=GRAIN)
    assert total_error(rows, measured(50, seed=99)) < 0.01
    us = np.array([TRUE_US[key] for key in rows])
    assert (errors(rows) * us).sum() < 0.08 * us.sum()


def test_end_to_end_times_correct_the_profiler() -> None:
    train, unseen = measured(200, bias=0.3), measured(50, seed=99)
    rows, overhead = fit_rows(train, known={}, grain=GRAIN)
    alone = {
        key: dataclasses.replace(found, us=overhead.scale * found.profiled_us - overhead.node_us * found.nodes)
        for key, found in rows.items()
    }
    assert total_error(rows, unseen) < total_error(alone, unseen) / 3


def test_a_kernel_seen_once_is_corrected_by_similar_ones() -> None:
    key = CONVS[5]
    train = [seen for seen in measured(150, errs={key: 1.4}) if key not in {kernel.key for kernel in seen.kernels}]
    (once, *_) = [
        seen for seen in measured(20, seed=5, errs={key: 1.4}) if key in {kernel.key for kernel in seen.kernels}
    ]
    rows, _ = fit_rows([*train, once], known={}, overhead=PROFILER, grain=GRAIN)
    bare, _ = fit_rows([*train, once], known={}, overhead=PROFILER, grain=GRAIN, refine=False)
    assert rows[key].networks == 1
    assert bare[key].us / TRUE_US[key] == pytest.approx(1.4, rel=0.01)
    assert abs(rows[key].us / TRUE_US[key] - 1) < 0.25


def test_where_the_two_views_disagree_is_told() -> None:
    key = "conv 64>32 28px k1 relu"
    rows, _ = fit_rows(measured(200, errs={key: 0.6}), known={}, overhead=PROFILER, grain=GRAIN)
    assert max(rows, key=lambda name: abs(rows[name].disagreement)) == key
    assert rows[key].disagreement > 0.1
    assert 0.7 < rows[key].us / TRUE_US[key] < 1.1


def test_a_given_overhead_is_kept() -> None:
    rows, overhead = fit_rows(measured(3), known={}, overhead=PROFILER, grain=GRAIN, refine=False)
    assert overhead == PROFILER
    assert errors(rows).max() < 1e-4


@pytest.mark.parametrize("speed", [1.0, 1.5])
@pytest.mark.parametrize("refine", [True, False])
def test_known_rows_stay_and_set_the_level(speed: float, refine: bool) -> None:
    known = {key: row(TRUE_US[key]) for key in KEYS[::2]}
    train = measured(40, speed=speed)
    rows, _ = fit_rows(train, known=known, overhead=PROFILER, grain=GRAIN, refine=refine)
    assert set(rows) == {kernel.key for seen in train for kernel in seen.kernels} - set(known)
    assert errors(rows).max() < 0.03


def test_nothing_new_is_no_row() -> None:
    known = {key: row(TRUE_US[key]) for key in KEYS}
    assert fit_rows(measured(5), known=known, overhead=PROFILER, grain=GRAIN)[0] == {}


@pytest.mark.parametrize("refine", [True, False])
def test_short_kernels_stay_positive_and_unseen_ones_cost_nothing(refine: bool) -> None:
    long, short, gone = "conv 16 14px k1", "act 16 14px relu", "slice 16>8 14px"
    kernels = tuple(Kernel(key=key, layers=(key,), op=OP) for key in (long, short, gone))
    profile = {
        long: LayerProfile(profiled_us=50, nodes=1, stats=STATS),
        short: LayerProfile(profiled_us=1, nodes=1, stats=STATS),
    }
    seen = Observation(kernels=kernels, total_us=47.0, profile=profile)
    rows, _ = fit_rows([seen], known={}, overhead=Overhead(scale=1.0, node_us=3.0), grain=GRAIN, refine=refine)
    assert rows[short].us > 0
    assert rows[gone].us == rows[gone].nodes == rows[gone].stats.runs == 0
    assert rows[long].us == pytest.approx(47, rel=0.02)


def test_a_layer_computed_with_another_is_counted_with_it() -> None:
    key = "conv 16 14px k1 +sum"
    kernel = Kernel(key=key, layers=("conv", "sum"), op=OP)
    shorter = dataclasses.replace(STATS, runs=7)
    profile = {
        "conv": LayerProfile(profiled_us=6, nodes=1, stats=STATS),
        "sum": LayerProfile(profiled_us=4, nodes=2, stats=shorter),
    }
    seen = Observation(kernels=(kernel,), total_us=10.0, profile=profile)
    rows, _ = fit_rows([seen], known={}, overhead=EXACT, grain=GRAIN)
    assert rows == {key: Row(us=10.0, profiled_us=10.0, nodes=3, networks=1, disagreement=0.0, stats=STATS)}


def test_rows_are_rounded_so_that_a_table_read_back_prices_the_same() -> None:
    rows, _ = fit_rows(measured(20, noise=0.01, bias=0.1), known={}, grain=GRAIN)
    assert all(round(found.us, 4) == found.us for found in rows.values())
