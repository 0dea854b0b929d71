"""`kill -9` at any stage loses nothing: the same command ends with the same result."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from nas import cli
from tests.pipeline import kill

ROOT = Path(cli.__file__).parent.parent
LAST_OF_STAGE = ("table.json", "study.journal", "arch.json", "trimmed.json", "finetune.safetensors", "model.onnx")
SAME = ("predicted_ms", "measured_ms", "test_accuracy", "validation_accuracy", "trim", "pareto", "params", "verdict")


def kill_at(home, marks: list[str]) -> list[str]:
    """Run the job and kill it at each mark in turn; `killed` or `ended` for each."""
    done = subprocess.run(
        [sys.executable, kill.__file__, *marks, "--", *home.argv()],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def check_same_result(home, done) -> None:
    resumed = home.do("search")
    assert (resumed.code, resumed.err) == (0, "")
    reports = [json.loads(run.report.read_text()) for run in (home.run, done[0].run)]
    assert [reports[0][key] for key in SAME] == [reports[1][key] for key in SAME]
    assert home.run.weights.read_bytes() == done[0].run.weights.read_bytes()


def test_killed_at_every_stage(done, home, steady) -> None:
    marks = [str(home.run.path / name) for name in LAST_OF_STAGE]
    assert kill_at(home, marks) == ["killed"] * len(marks)
    assert not home.run.report.exists()
    check_same_result(home, done)
    assert not (home.run.path / "finetune.safetensors").exists()


@pytest.mark.slow
def test_killed_at_random_moments(done, home, steady) -> None:
    moments = [str(random.Random(i).uniform(0.05, 1.2)) for i in range(10)]
    assert set(kill_at(home, moments)) <= {"killed", "ended"}
    check_same_result(home, done)
