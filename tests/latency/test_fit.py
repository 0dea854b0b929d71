"""Planted rows come back from synthetic measurements."""

from __future__ import annotations

import numpy as np
import pytest

from nas.arch import Kind, Op
from nas.latency.fit import Observation, Overhead, Row, fit_rows
from nas.latency.kernels import Kernel
from nas.latency.runtimes import LayerProfile

OP = Op(kind=Kind.ACT, in_channels=8, out_channels=8, in_px=4, out_px=4)
KEYS = tuple(f"kernel {i}" for i in range(40))
TRUE_US = dict(zip(KEYS, np.random.default_rng(7).uniform(2, 40, len(KEYS)), strict=True))
PROFILER = Overhead(scale=0.9, node_us=0.5)


def measured(
    count: int,
    *,
    seed: int = 0,
    noise: float = 0.0,
    bias: float = 0.0,
    speed: float = 1.0,
    keys: tuple[str, ...] = KEYS,
) -> list[Observation]:
    """Networks of 25 kernels; `bias` is how far the profiler errs on each kernel, `speed` the machine's slowness."""
    rng, wrong = np.random.default_rng(seed), np.random.default_rng(1)
    errs = dict(zip(KEYS, 1 + bias * wrong.standard_normal(len(KEYS)), strict=True))
    nodes = {key: 1 + i % 3 for i, key in enumerate(KEYS)}
    observations = []
    for _ in range(count):
        kernels = tuple(
            Kernel(key=str(key), layers=(f"layer{i}", f"layer{i}.sum"), op=OP)
            for i, key in enumerate(rng.choice(keys, 25))
        )
        total_us = speed * sum(TRUE_US[kernel.key] for kernel in kernels) * (1 + noise * rng.standard_normal())
        profile = {
            kernel.layers[0]: LayerProfile(
                profiled_us=(speed * TRUE_US[kernel.key] * errs[kernel.key] + PROFILER.node_us * nodes[kernel.key])
                / PROFILER.scale,
                nodes=nodes[kernel.key],
            )
            for kernel in kernels
        }
        observations.append(Observation(kernels=kernels, total_us=total_us, profile=profile))
    return observations


def errors(rows: dict[str, Row]) -> np.ndarray:
    return np.array([abs(row.us / TRUE_US[key] - 1) for key, row in rows.items()])


def total_error(rows: dict[str, Row], observations: list[Observation]) -> float:
    """Mean relative error of whole networks' sums."""
    sums = np.array([sum(rows[kernel.key].us for kernel in seen.kernels) for seen in observations])
    return float(np.mean(np.abs(sums / np.array([seen.total_us for seen in observations]) - 1)))


def test_rows_and_the_profilers_overhead_come_back() -> None:
    rows, overhead = fit_rows(measured(60), known={})
    assert set(rows) == set(KEYS)
    assert errors(rows).max() < 1e-4
    assert (overhead.scale, overhead.node_us) == (pytest.approx(PROFILER.scale), pytest.approx(PROFILER.node_us))
    assert all(row.nodes == 1 + i % 3 for i, row in enumerate(rows[key] for key in KEYS))
    assert all(1 <= row.networks <= 60 for row in rows.values())


def test_noise_and_a_profiler_that_errs_by_kernel_average_out() -> None:
    rows, _ = fit_rows(measured(200, noise=0.02, bias=0.15), known={})
    unseen = measured(50, seed=99)
    assert total_error(rows, unseen) < 0.01
    assert errors(rows).mean() < 0.1


def test_end_to_end_times_correct_the_profiler() -> None:
    train, unseen = measured(200, bias=0.3), measured(50, seed=99)
    rows, overhead = fit_rows(train, known={})
    alone = {
        key: Row(us=overhead.scale * row.profiled_us - overhead.node_us * row.nodes, profiled_us=0, nodes=0, networks=0)
        for key, row in rows.items()
    }
    assert total_error(rows, unseen) < total_error(alone, unseen) / 3


def test_a_given_overhead_is_kept() -> None:
    rows, overhead = fit_rows(measured(3), known={}, overhead=PROFILER)
    assert overhead == PROFILER
    assert errors(rows).max() < 1e-4


@pytest.mark.parametrize("speed", [1.0, 1.5])
def test_known_rows_stay_and_set_the_level(speed: float) -> None:
    known = {key: Row(us=float(TRUE_US[key]), profiled_us=1.0, nodes=1, networks=9) for key in KEYS[: len(KEYS) // 2]}
    rows, _ = fit_rows(measured(40, speed=speed), known=known, overhead=PROFILER)
    assert set(rows) == set(KEYS) - set(known)
    assert errors(rows).max() < 0.02


def test_nothing_new_is_no_row() -> None:
    known = {key: Row(us=float(TRUE_US[key]), profiled_us=1.0, nodes=1, networks=9) for key in KEYS}
    assert fit_rows(measured(5), known=known, overhead=PROFILER)[0] == {}


def test_short_kernels_stay_positive_and_unseen_ones_cost_nothing() -> None:
    kernels = tuple(Kernel(key=key, layers=(key,), op=OP) for key in ("long", "short", "gone"))
    profile = {"long": LayerProfile(profiled_us=50, nodes=1), "short": LayerProfile(profiled_us=1, nodes=1)}
    seen = Observation(kernels=kernels, total_us=47.0, profile=profile)
    rows, _ = fit_rows([seen], known={}, overhead=Overhead(scale=1.0, node_us=3.0))
    assert rows["short"].us > 0
    assert rows["gone"].us == rows["gone"].nodes == 0
    assert rows["long"].us == pytest.approx(47, rel=0.02)


def test_a_layer_computed_with_another_is_counted_with_it() -> None:
    kernel = Kernel(key="conv +sum", layers=("conv", "sum"), op=OP)
    profile = {"conv": LayerProfile(profiled_us=6, nodes=1), "sum": LayerProfile(profiled_us=4, nodes=2)}
    rows, _ = fit_rows(
        [Observation(kernels=(kernel,), total_us=10.0, profile=profile)],
        known={},
        overhead=Overhead(scale=1.0, node_us=0.0),
    )
    assert rows["conv +sum"] == Row(us=10.0, profiled_us=10.0, nodes=3, networks=1)
