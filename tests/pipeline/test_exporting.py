"""A run whose target is in eight bits, in batches: what is timed, searched and exported is what the target says."""

from __future__ import annotations

import importlib
import json

import onnx
import pytest

from nas.results import load


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the tiny job's few images is more than the accuracy that eight bits may cost."""
    monkeypatch.setattr(importlib.import_module("nas.deploy.export"), "MOST_ACCURACY_LOST", 1.0)


def test_a_run_in_eight_bits_and_batches(home, steady, lenient) -> None:
    outcome = home.do("search", "target.precision=int8", "target.batch=2")
    assert outcome.code == 0, outcome.err
    report = load(home.run.report)
    assert (report.host.precision, report.host.batch) == ("int8", 2)
    assert any("the accuracy in eight bits is" in note for note in report.notes)
    assert f"{report.images_per_s:,.0f} images/s" in outcome.out
    table = json.loads(home.run.table.read_text())
    assert table["host"]["precision"] == "int8"
    assert not any("+sum" in key for key in table["rows"])
    model = onnx.load(home.run.onnx)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2
    assert "QuantizeLinear" in {node.op_type for node in model.graph.node}


def test_a_file_that_loses_accuracy_in_eight_bits_is_not_handed_over(home, steady, monkeypatch) -> None:
    monkeypatch.setattr(importlib.import_module("nas.deploy.export"), "MOST_ACCURACY_LOST", -1.1)
    outcome = home.do("search", "target.precision=int8")
    assert outcome.code == 6
    assert "choose target.precision=fp32" in outcome.err
    assert not home.run.onnx.exists()
