"""The same command again: what is finished is kept, what is missing is made."""

from __future__ import annotations

import json
from importlib import import_module

import pytest
import torch
from safetensors.torch import load_file

from tests.pipeline import clock

KEPT = ("supernet.safetensors", "weights.safetensors", "model.onnx", "verification.json", "table.json")


PLACES = ("seconds", "files", "table", "notes", "next")  # of a report: differ between copies of a run


def figures(run) -> dict[str, object]:
    return {key: value for key, value in json.loads(run.report.read_text()).items() if key not in PLACES}


def test_the_same_command_reuses_everything(done, untrained, monkeypatch) -> None:
    home, outcome = done
    assert outcome.code == 0
    before, report = home.files(), figures(home.run)
    untrained()
    for module in clock.MEASURING:
        monkeypatch.setattr(import_module(module), "measure_networks", pytest.fail)
    assert home.do("search").code == 0
    after = home.files()
    assert [path for path, time in before.items() if path.name in KEPT and after[path] != time] == []
    assert set(after) == set(before)
    assert figures(home.run) == report


@pytest.mark.parametrize("lost", ["verification", "onnx"])
def test_a_lost_export_is_made_again_without_training(copied, untrained, lost) -> None:
    before, report = copied.files(), figures(copied.run)
    getattr(copied.run, lost).unlink()
    untrained()
    assert copied.do("search").code == 0
    again = {path.name for path, time in copied.files().items() if before.get(path) != time}
    assert {"model.onnx", "verification.json"} <= again
    assert not {"weights.safetensors", "supernet.safetensors"} & again
    assert figures(copied.run)["measured_ms"] == report["measured_ms"]


def test_lost_weights_are_trained_again_and_exported(copied) -> None:
    before, weights = copied.files(), copied.run.weights.read_bytes()
    copied.run.weights.unlink()
    assert copied.do("search").code == 0
    again = {path.name for path, time in copied.files().items() if before.get(path) != time}
    assert {"model.onnx", "verification.json", "weights.safetensors"} <= again
    assert "supernet.safetensors" not in again
    assert copied.run.weights.read_bytes() == weights


def test_a_lost_report_is_written_again(copied, untrained) -> None:
    report = figures(copied.run)
    copied.run.report.unlink()
    untrained()
    assert copied.do("search").code == 0
    assert figures(copied.run) == report


def test_a_lost_cache_trains_the_same_supernet(copied) -> None:
    (supernet,) = (copied.path / "runs" / ".cache").rglob("supernet.safetensors")
    before = load_file(supernet)
    supernet.unlink()
    assert copied.do("search").code == 0
    after = load_file(supernet)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
