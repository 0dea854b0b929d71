"""Predicted against measured."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.convert import build
from nas.errors import InputError
from nas.latency.model import Share
from nas.latency.proof import Proof, kendall, kendall_within, kind_of, prove, spearman

KERNELS = {"conv 8>16 14px k1 relu": 0, "dw 16 14px k5 relu": 1, "se 16 14px sq8 hsigmoid relu": 2, "linear 16 1px": 3}


def breakdown(times_ms: np.ndarray) -> tuple[Share, ...]:
    return tuple(Share(layer=f"s{i % 2}.b0", kernel=key, ms=float(times_ms[i])) for key, i in KERNELS.items())


def test_errors_are_relative_to_the_measured_time() -> None:
    proof = prove(np.array([1.01, 1.04, 1.08, 0.8]), np.ones(4), noise_pct=0.3, macs=[1, 2, 3, 4])
    assert proof.mape_pct == pytest.approx(33 / 4)
    assert proof.max_pct == pytest.approx(20)
    assert (proof.within_2_pct, proof.within_5_pct, proof.within_10_pct) == (25, 50, 75)
    assert (proof.networks, proof.noise_pct) == (4, 0.3)
    assert not proof.good
    assert (proof.predicted_ms, proof.measured_ms) == ((1.01, 1.04, 1.08, 0.8), (1.0, 1.0, 1.0, 1.0))
    assert proof.by_kind == proof.by_stage == ()


def test_perfect_predictions() -> None:
    measured = np.array([0.3, 0.1, 0.2])
    shares = [breakdown(ms * np.array([1, 2, 3, 4]) / 10) for ms in measured]
    proof = prove(measured, measured, noise_pct=0.0, macs=[1, 1, 9], breakdowns=shares)
    assert proof.good
    assert (proof.mape_pct, proof.max_pct, proof.within_2_pct) == (0, 0, 100)
    assert (proof.spearman, proof.kendall, proof.kendall_equal_flops) == (pytest.approx(1), 1, 1)
    assert [part.error_pct for part in (*proof.by_kind, *proof.by_stage)] == [0] * 6


def test_a_proof_survives_json() -> None:
    measured = np.array([0.3, 0.1])
    shares = [breakdown(np.full(4, ms / 4)) for ms in measured]
    for macs in ([1, 1], [1, 9]):
        proof = prove(measured * 1.01, measured, noise_pct=0.1, macs=macs, breakdowns=shares)
        assert build(Proof, json.loads(json.dumps(asdict(proof), allow_nan=False))) == proof


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"networks": 3}, "networks = 3, with 2 predicted and 2 measured times"),
        ({"networks": 0, "predicted_ms": [], "measured_ms": []}, "networks = 0"),
        ({"measured_ms": [0.3]}, "with 2 predicted and 1 measured times"),
        ({"predicted_ms": [0.3, 0]}, "latencies must be positive"),
        ({"mape_pct": -1}, "errors must not be negative"),
    ],
)
def test_an_edited_proof_is_refused(change: dict, said: str) -> None:
    measured = np.array([0.3, 0.1])
    content = asdict(prove(measured, measured, noise_pct=0.1, macs=[1, 2]))
    with pytest.raises(InputError, match=said):
        build(Proof, {**content, **change}, "proof")


def test_the_kind_and_the_stage_that_are_off_are_named() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(0.1, 1, (40, 4))
    measured = predicted @ [1, 1, 1.1, 1]  # squeeze-excite, and with it stage s0, is predicted 9 % too low
    proof = prove(
        predicted.sum(axis=1), measured, noise_pct=0.0, macs=[1] * 40, breakdowns=[breakdown(row) for row in predicted]
    )
    assert [part.name for part in proof.by_kind] == ["conv k1", "dw k5", "se", "linear"]
    assert sum(part.share_pct for part in proof.by_kind) == pytest.approx(100, abs=0.01)
    errors = {part.name: (part.error_pct, part.sd_pct) for part in proof.by_kind}
    for name, (error_pct, sd_pct) in errors.items():
        assert error_pct == pytest.approx(-9.1 if name == "se" else 0, abs=2.5 * sd_pct)
        assert 0 < sd_pct < 3
    assert min(errors, key=lambda name: errors[name][0]) == "se"
    worst = min(proof.by_stage, key=lambda part: part.error_pct)
    assert (worst.name, len(proof.by_stage)) == ("s0", 2)


def test_parts_that_never_vary_apart_stay_in_doubt() -> None:
    predicted = np.outer([1.0, 2.0, 3.0], [1, 1, 1, 1])
    proof = prove(
        predicted.sum(axis=1),
        predicted.sum(axis=1) * 1.04,
        noise_pct=0.0,
        macs=[1, 2, 3],
        breakdowns=[breakdown(row) for row in predicted],
    )
    assert len({part.error_pct for part in proof.by_kind}) == 1
    assert all(part.sd_pct > 3 for part in proof.by_kind)


def test_one_network_proves_little_but_does_not_fail() -> None:
    proof = prove(np.array([1.0]), np.array([1.1]), noise_pct=0.0, macs=[5], breakdowns=[breakdown(np.full(4, 0.25))])
    assert (proof.spearman, proof.kendall, proof.kendall_equal_flops) == (1, 1, None)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("conv 3>16 224px k3 s2 hswish", "conv k3"),
        ("conv 16>24 14px k1 +sum", "conv k1"),
        ("conv 16 14px k1x3", "conv k1x3"),
        ("add 16 14px x2 relu", "add"),
    ],
)
def test_kinds_are_read_off_keys(key: str, kind: str) -> None:
    assert kind_of(key) == kind


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=12, unique=True))
def test_rank_correlation_of_the_same_and_the_opposite_order(values: list[float]) -> None:
    array = np.array(values)
    for correlation in (kendall, spearman):
        assert correlation(array, 2 * array) == pytest.approx(1)
        assert correlation(array, -array) == pytest.approx(-1)


def test_rank_correlation_counts_ties_as_nothing() -> None:
    assert kendall(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(2 / 3)
    assert kendall(np.array([1.0]), np.array([2.0])) == 1
    assert spearman(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(np.sqrt(3) / 2)
    assert spearman(np.ones(3), np.arange(3.0)) == 0


def test_bands_hold_networks_of_nearly_the_same_macs() -> None:
    a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 1.0, 3.0, 4.0])
    assert kendall_within(a, b, np.array([100.0, 102.0, 200.0, 300.0])) == -1
    assert kendall_within(a, b, np.array([100.0, 103.5, 203.0, 205.0])) == 1
    assert kendall_within(a, b, np.array([1.0, 2.0, 4.0, 8.0])) is None
