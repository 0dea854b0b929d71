"""Verdicts on simulated machines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nas.errors import DeviceError
from nas.latency import noise
from nas.latency.noise import Shares, advice, judge, require_usable, shares, stolen_pct


def runs_us(spread: float, *, level_us: float = 1000.0, networks: int = 10, runs: int = 60) -> np.ndarray:
    """One-sided noise of an exponential distribution."""
    return level_us * (1 + spread * np.random.default_rng(0).exponential(1, (networks, runs)))


def test_a_machine_of_its_own_is_quiet() -> None:
    assert judge(runs_us(0.01), steal_pct=0.0).verdict == "quiet"
    assert judge(np.full((3, 8), 5.0), steal_pct=0.0) == noise.Noise(
        verdict="quiet", split_half_pct=0.0, spread_pct=0.0, steal_pct=0.0
    )


def test_a_neighbour_that_halves_the_core_now_and_then_is_noise_but_no_end() -> None:
    """Section 6's machine: two speeds, x1.35 apart, a third of the time in the slow one."""
    rng = np.random.default_rng(1)
    samples_us = 10_000 * np.where(rng.random((30, 60)) < 0.35, 1.35, 1.0) * (1 + 0.02 * rng.random((30, 60)))
    found = judge(samples_us, steal_pct=0.0)
    assert found.verdict == "noisy"
    assert found.spread_pct == pytest.approx(35, abs=3)


@pytest.mark.parametrize("spread", [1.5, 3.0])
def test_runs_that_vary_twofold_are_unusable(spread: float) -> None:
    assert judge(runs_us(spread), steal_pct=0.0).verdict == "unusable"


@pytest.mark.parametrize(("steal_pct", "verdict"), [(0.5, "quiet"), (10.0, "noisy"), (45.0, "unusable")])
def test_time_that_others_had_counts_where_runs_last_long_enough_to_lose_it(steal_pct: float, verdict: str) -> None:
    assert judge(runs_us(0.01, level_us=10_000), steal_pct=steal_pct).verdict == verdict
    assert judge(runs_us(0.01, level_us=50), steal_pct=steal_pct).verdict == "quiet"


def test_few_runs_are_not_held_to_what_many_reach() -> None:
    assert judge(runs_us(0.1, runs=8), steal_pct=0.0).verdict == "noisy"


def test_networks_that_failed_do_not_count() -> None:
    samples_us = runs_us(0.01)
    with_failed = np.vstack([samples_us, np.full((2, 60), np.nan)])
    assert judge(with_failed, steal_pct=0.0) == judge(samples_us, steal_pct=0.0)


def test_advice_is_one_line_and_only_where_it_is_needed() -> None:
    assert advice(judge(runs_us(0.01), steal_pct=0.0)) == ""
    for verdict in ("noisy", "unusable"):
        line = advice(noise.Noise(verdict=verdict, split_half_pct=2.7, spread_pct=35.0, steal_pct=4.0))
        assert line.startswith(f"the machine is {verdict}: even and odd runs differ by 2.7 %")
        assert "close other programs" in line
        assert "\n" not in line


def test_only_an_unusable_machine_is_refused() -> None:
    found = judge(runs_us(1.0), steal_pct=0.0)
    with pytest.raises(DeviceError, match=r"^measuring given up, nothing is stored: the machine is unusable: "):
        require_usable(found, "measuring")
    require_usable(replace(found, verdict="noisy"), "measuring")


def test_the_counters_of_this_machine() -> None:
    before = shares()
    after = shares()
    assert 0 <= before.stolen <= before.asked <= after.asked
    assert 0 <= before.waited <= before.wanted <= after.wanted
    assert 0 <= stolen_pct(before, after) <= 100


def test_a_system_without_counters_tells_nothing(tmp_path) -> None:
    assert noise._numbers(str(tmp_path / "none"), 2) == [0, 0]
    (tmp_path / "short").write_text("cpu 7 rubbish\n")
    assert noise._numbers(str(tmp_path / "short"), 3) == [7, 0, 0]
    assert stolen_pct(Shares(stolen=0, asked=0, waited=0, wanted=0), Shares(stolen=0, asked=0, waited=0, wanted=0)) == 0
