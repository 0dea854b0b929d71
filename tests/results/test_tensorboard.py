import subprocess
import sys

import pytest

from nas.results import run_scalars, write_scalars


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_scalars_come_back_as_tensorboard_reads_them(tmp_path):
    scalars = {"search/accuracy": [(0, 0.5), (1, 0.75)], "training/loss": [(10, 2.0)]}
    write_scalars(tmp_path, scalars)
    assert read(tmp_path) == scalars


def test_writing_again_replaces(tmp_path):
    write_scalars(tmp_path, {"a": [(0, 1.0)]})
    write_scalars(tmp_path, {"a": [(0, 2.0)]})
    assert read(tmp_path) == {"a": [(0, 2.0)]}


def test_curves_of_a_run(report):
    curves = run_scalars(report, training_loss=[(0, 2.3), (100, 0.7)])
    best = [value for _, value in curves["search/best"]]
    assert best == sorted(best)
    fitting = [point.accuracy for point in report.evaluated if point.latency_ms <= report.budget_ms]
    assert best[-1] == pytest.approx(max(fitting))
    assert len(curves["search/latency_ms"]) == len(curves["search/accuracy"]) == len(report.evaluated)
    assert curves["training/loss"] == [(0, 2.3), (100, 0.7)]
    assert "training/loss" not in run_scalars(report)


def test_the_room_loads_neither_torch_nor_tensorboard():
    code = (
        "import sys, nas.results; print([m for m in ('torch', 'tensorboard', 'optuna', 'hydra') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
