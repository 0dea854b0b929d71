"""What is measured above its budget is trimmed further; where nothing is left to trim, the report says FAIL."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

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
