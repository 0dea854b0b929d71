"""Predicted against measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.latency.proof import kendall, prove


def test_errors_are_relative_to_the_measured_time() -> None:
    proof = prove(np.array([1.01, 1.04, 1.08, 0.8]), np.ones(4), noise_pct=0.3)
    assert proof.mape_pct == pytest.approx(33 / 4)
    assert proof.max_pct == pytest.approx(20)
    assert (proof.within_2_pct, proof.within_5_pct, proof.within_10_pct) == (25, 50, 75)
    assert (proof.networks, proof.noise_pct) == (4, 0.3)
    assert not proof.good
    assert (proof.predicted_ms, proof.measured_ms) == ((1.01, 1.04, 1.08, 0.8), (1.0, 1.0, 1.0, 1.0))


def test_perfect_predictions() -> None:
    measured = np.array([0.3, 0.1, 0.2])
    proof = prove(measured, measured, noise_pct=0.0)
    assert proof.good
    assert (proof.mape_pct, proof.max_pct, proof.within_2_pct, proof.kendall) == (0, 0, 100, 1)


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=12, unique=True))
def test_rank_correlation_of_the_same_and_the_opposite_order(values: list[float]) -> None:
    array = np.array(values)
    assert kendall(array, np.exp(array)) == 1
    assert kendall(array, -array) == -1


def test_rank_correlation_counts_ties_as_nothing() -> None:
    assert kendall(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / 3)
    assert kendall(np.array([1.0]), np.array([2.0])) == 1
