"""What is measured above its budget is trimmed further; where nothing is left to trim, the report says FAIL."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from nas.arch import from_json
from nas.convert import build
from nas.latency.proof import Proof
from nas.net import load_network
from nas.pipeline.fitting import first_margin
from tests.pipeline import clock

ONE_NETWORK = ("space.stages=[{widths:[16],depths:[2],stride:2}]", "space.expansions=[3]", "space.se=[false]")


@pytest.fixture
def slower(home, monkeypatch):
    """Search a space of one network, its own latency the budget, where it takes `factor` times its prediction."""

    def search(factor: float) -> dict[str, Any]:
        def measure_networks(*args, **kwargs):
            measured = clock.measure_networks(*args, **kwargs)
            samples_us = measured.samples_us.copy()
            samples_us[-1] *= factor  # the anchors before it are as predicted
            return replace(measured, samples_us=samples_us)

        clock.install(monkeypatch)
        monkeypatch.setattr(import_module("nas.deploy.verify"), "measure_networks", measure_networks)
        outcome = home.do("search", *ONE_NETWORK)
        assert (outcome.code, outcome.err) == (0, "")
        again = home.do("search", *ONE_NETWORK)
        assert outcome.out.endswith(again.out[again.out.index("  measured ") :])
        return json.loads(home.run.report.read_text())

    return search


def test_a_little_slower_than_predicted_is_trimmed_to_fit(slower) -> None:
    found = slower(1.1)
    assert found["verdict"] == "PASS"
    assert found["trim"]
    assert found["measured_ms"]["high"] <= found["budget_ms"]


def test_much_slower_than_anything_can_be_trimmed_to_fails_in_the_report(slower) -> None:
    found = slower(5.0)
    assert found["verdict"] == "FAIL"
    assert found["measured_ms"]["median"] == pytest.approx(5 * found["predicted_ms"], rel=1e-3)


def test_a_budget_that_leaves_no_room_for_the_margin_is_tried_all_the_same(slower, monkeypatch) -> None:
    monkeypatch.setattr(import_module("nas.pipeline.fitting"), "first_margin", lambda _proof: 0.999)
    found = slower(1.0)
    assert (found["verdict"], found["trim"]) == ("PASS", [])


def test_an_exported_file_above_the_budget_is_taken_back_and_trimmed_on(home, monkeypatch) -> None:
    """The network itself is measured as predicted, its first exported file 4 % slower."""
    exported: list[float] = []

    def measure_networks(target, archs, *, models=(), **options):
        measured = clock.measure_networks(target, archs, models=models, **options)
        if models:
            exported.append(1.04 if not exported else 1.0)
            measured.samples_us[-1] *= exported[-1]
        return measured

    clock.install(monkeypatch)
    monkeypatch.setattr(import_module("nas.deploy.verify"), "measure_networks", measure_networks)
    outcome = home.do("search", *ONE_NETWORK)
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(home.run.report.read_text())
    assert exported == [1.04, 1.0]
    assert found["verdict"] == "PASS"
    assert found["trim"]
    assert found["measured_ms"]["median"] <= found["budget_ms"] / 1.04
    assert load_network(home.run.trimmed, home.run.weights).arch == from_json(home.run.trimmed.read_text())


@pytest.mark.parametrize(("ratios", "margin"), [([1.0] * 10, 0.0), ([0.9] * 10, 0.0), ([1.25] * 10, 0.2)])
def test_the_first_margin_is_what_held_out_networks_took_beyond_their_prediction(done, ratios, margin) -> None:
    (calibration,) = json.loads(done[0].run.table.read_text())["calibrations"].values()
    pairs = {"predicted_ms": (2.0,) * 10, "measured_ms": tuple(2.0 * ratio for ratio in ratios)}
    assert first_margin(replace(build(Proof, calibration["proof"]), networks=10, **pairs)) == pytest.approx(margin)
