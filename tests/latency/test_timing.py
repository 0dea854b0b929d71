"""Statistics of timings, against simulated machines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.latency.timing import STATISTICS, split_half_pct, stats, steadiest, summarise, whole


def noisy(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Run times, us: one-sided noise with rare long pauses."""
    return 100 + rng.exponential(5, shape) + 80 * (rng.random(shape) < 0.03)


@pytest.mark.parametrize("runs", [8, 30, 41, 200])
def test_the_interval_covers_the_true_median_nineteen_times_in_twenty(runs: int) -> None:
    rng = np.random.default_rng(runs)
    truth = np.median(noisy(rng, 400_000))
    timings = [summarise(samples) for samples in noisy(rng, 800, runs)]
    covered = np.mean([timing.low_us <= truth <= timing.high_us for timing in timings])
    assert covered >= 0.935  # 95 % less two standard errors of 800 trials
    if runs == 200:
        assert covered <= 0.985


def test_a_summary_reads_off_the_runs() -> None:
    timing = summarise(np.array([10.0, 11.0, 10.0, 13.0, 10.0, 13.0, 30.0, 13.0]))
    assert (timing.median_us, timing.min_us, timing.runs) == (12.0, 10.0, 8)
    assert timing.split_half == pytest.approx(3 / 13)
    assert timing.p90_us == pytest.approx(13 + 0.3 * 17)


@given(st.lists(st.floats(1, 1e6), min_size=4, max_size=60))
def test_the_numbers_of_a_summary_are_ordered_and_scale_with_the_clock(samples: list[float]) -> None:
    timing = summarise(np.array(samples))
    assert timing.min_us <= timing.low_us <= timing.median_us <= timing.high_us <= max(samples)
    assert timing.median_us * (1 - 1e-12) <= timing.p90_us
    doubled = dataclasses.asdict(summarise(2 * np.array(samples)))
    for name, value in dataclasses.asdict(timing).items():
        assert doubled[name] == pytest.approx(2 * value if name.endswith("_us") else value)


def test_split_half_compares_even_with_odd_runs() -> None:
    samples_us = np.array([[10.0, 11.0] * 4, [20.0, 20.0] * 4])
    assert split_half_pct(samples_us, "median") == pytest.approx((1 - 10 / 11) / 2 * 100)
    assert all(split_half_pct(np.full((3, 8), 5.0), name) == 0 for name in STATISTICS)


def test_the_steadiest_statistic_depends_on_the_noise() -> None:
    rng = np.random.default_rng(0)
    one_sided = 100 + 40 * rng.random((30, 40)) ** 4 + 200 * (rng.random((30, 40)) < 0.45)
    assert steadiest(one_sided) != "median"
    early = 100 + rng.normal(0, 1, (30, 40)) - 30 * (rng.random((30, 40)) < 0.03)  # a rare lucky run
    assert steadiest(early) != "min"


def test_the_spread_of_a_kernels_runs() -> None:
    spread = stats(np.array([10.0, 14.0, 10.0, 14.0, 12.0]))
    assert (spread.runs, spread.median_us, spread.min_us, spread.iqr_us) == (5, 12.0, 10.0, 4.0)
    assert spread.split_half == pytest.approx(4 / 12)
    assert stats(np.zeros(2)).split_half == 0  # the runtime runs nothing for some layers


def test_networks_that_failed_are_left_out() -> None:
    samples_us = np.array([[1.0, 2.0], [np.nan, np.nan], [3.0, 4.0], [5.0, np.nan]])
    assert whole(samples_us).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert split_half_pct(samples_us, "median") == pytest.approx((1 / 2 + 1 / 4) / 2 * 100)
