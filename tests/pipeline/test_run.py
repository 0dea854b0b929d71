"""One real run of the whole job, measured on this machine, and what it leaves behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors
import torch

from nas import cli
from nas.arch import from_json
from nas.data import load_folder, to_input
from nas.net import load_network
from tests.pipeline import clock

FILES = """
    config.json table.json study.journal trials.csv arch.json trim trimmed.json weights.safetensors model.onnx
    verification.json report.json report.html pareto.svg tensorboard seconds.json
"""
PROMISED = """
    verdict budget_ms measured_ms predicted_ms test_accuracy validation_accuracy params macs target host files seconds
"""
STAGES = "table supernet search trim finetune export verify report"
ROOT = Path(cli.__file__).parent.parent


@pytest.fixture(scope="module")
def measured(tmp_path_factory, images, done):
    """The tiny job with real timing."""
    home = type(done[0])(path=tmp_path_factory.mktemp("measured"), images=images)
    with pytest.MonkeyPatch.context() as patch:
        clock.tolerate(patch)
        return home, home.do("search", "budget_ms=5")


@pytest.fixture(scope="module")
def found(measured) -> dict[str, Any]:
    return json.loads(measured[0].run.report.read_text())


def test_the_run_leaves_every_file(measured) -> None:
    home, outcome = measured
    assert (outcome.code, outcome.err) == (0, "")
    assert [name for name in FILES.split() if not (home.run.path / name).exists()] == []
    assert len(list((home.path / "tables").rglob("*.json"))) == 1
    assert len(list((home.path / "runs" / ".cache").glob("supernet-*"))) == 1


def test_report_json_has_the_promised_names(found) -> None:
    assert set(PROMISED.split()) <= set(found)
    assert set(found["measured_ms"]) == {"median", "low", "high", "p90", "runs"}
    assert set(found["seconds"]) == set(STAGES.split())


def test_report_json_says_what_was_measured(found) -> None:
    times = found["measured_ms"]
    assert 0 < times["low"] <= times["median"] <= times["high"] <= 5 == found["budget_ms"]
    assert times["median"] <= times["p90"]
    assert found["verdict"] == "PASS"
    assert found["predicted_ms"] > 0
    assert found["data"]["classes"] == ["across", "down", "rings"]
    assert 1 / 3 < found["test_accuracy"] <= 1
    assert all(Path(path).exists() for path in found["files"].values())


def test_the_screen_keeps_its_order(measured) -> None:
    lines = measured[1].out.splitlines()
    begins = ("PASS  measured", "Pareto front", "Device", "Files", "Next")
    places = [next(i for i, line in enumerate(lines) if line.startswith(begin)) for begin in begins]
    assert places == sorted(places)
    assert re.search(r"budget 5\.000; predicted .* top-1 on 12 images", lines[places[0]])
    assert 1 <= sum(line.strip()[:1].isdigit() or line.startswith(">") for line in lines[places[1] : places[2]]) <= 10


def test_the_page_needs_no_network(measured) -> None:
    page = measured[0].run.html.read_text()
    assert "<svg" in page
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)


def test_the_exported_file_describes_itself(measured, found) -> None:
    run = measured[0].run
    model = onnx.load(str(run.onnx))
    onnx.checker.check_model(model, full_check=True)
    says = {item.key: item.value for item in model.metadata_props}
    assert from_json(says["arch"]) == from_json(run.trimmed.read_text())
    assert says["table"] == found["table"]["hash"]
    assert json.loads(says["classes"]) == ["across", "down", "rings"]
    assert float(says["predicted_ms"]) == pytest.approx(found["predicted_ms"], rel=1e-4)
    assert float(says["measured_ms"]) == pytest.approx(found["measured_ms"]["median"], rel=1e-4)
    assert {"mean", "std", "normalisation"} <= set(says)
    assert [len(model.graph.input), len(model.graph.output)] == [1, 1]
    assert [item.domain for item in model.opset_import] == [""]
    assert all(value.name.isidentifier() for value in (*model.graph.input, *model.graph.output))


def test_the_exported_file_and_the_weights_classify_alike(measured, found) -> None:
    home, _ = measured
    with safetensors.safe_open(home.run.weights, framework="pt") as file:
        assert from_json(file.metadata()["arch"]) == from_json(home.run.trimmed.read_text())
    network = load_network(home.run.trimmed, home.run.weights)
    data = load_folder(home.images, size_px=16, seed=0)
    x = to_input(torch.from_numpy(data.test.images), data, size_px=16).contiguous()
    with torch.inference_mode():
        logits = network(x).numpy()
    session = onnxruntime.InferenceSession(home.run.onnx, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    exported = np.concatenate([session.run(None, {name: image[None]})[0] for image in x.numpy()])
    assert np.abs(exported - logits).max() <= 1e-4
    assert (exported.argmax(axis=1) == logits.argmax(axis=1)).all()
    assert (exported.argmax(axis=1) == data.test.labels).mean() == pytest.approx(found["test_accuracy"])


def test_a_command_of_its_own_process_shows_the_report(measured, tmp_path) -> None:
    argv = [sys.executable, "-m", "nas.report", *measured[0].argv(f"network={measured[0].run.path}")]
    shown = subprocess.run(
        argv, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("PASS  measured")
    assert shown.stderr == ""
