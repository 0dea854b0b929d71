"""A network's latency is measured beside networks whose latency is known."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from nas.arch import Arch
from nas.deploy import verify
from nas.errors import DeviceError
from nas.formats.int8 import write_int8
from nas.formats.onnx import write_onnx
from nas.latency.session import Measured
from nas.progress import silent
from nas.space import largest, smallest
from nas.target import Target
from tests.net.zoo import SPACE, every_kind

module = importlib.import_module("nas.deploy.verify")  # the package's name for it is the function
TARGET = Target(name="intel_cpu", runtime="onnxruntime")
ANCHORS = (SPACE.build(largest), SPACE.build(smallest))


class Machine:
    """Sessions planned ahead: how slow the anchors run, and how unlike the subject's even and odd runs are.

    The networks at the places `failed` are refused.
    """

    def __init__(self, *sessions: tuple[float, float], failed: Sequence[int] = ()) -> None:
        self.sessions = list(sessions)
        self.failed = failed
        self.asked: list[tuple[int, int]] = []

    def __call__(self, _target: Target, archs: Sequence[Arch], *, models: Sequence[Path], rounds: int, **_: object):
        self.asked.append((len(archs), len(models)))
        speed, unrest = self.sessions.pop(0)
        samples_us = np.full((len(archs) + len(models), rounds), 1000.0 * speed)
        samples_us[-1, ::2] *= 1 + unrest
        samples_us[list(self.failed)] = np.nan
        return Measured(samples_us=samples_us, profiles=(), failed=dict.fromkeys(self.failed, "an op is unknown"))


def measure_with(machine: Machine, monkeypatch: pytest.MonkeyPatch, subject: Arch | Path, anchors=ANCHORS):
    monkeypatch.setattr(module, "measure_networks", machine)
    return verify(TARGET, subject, anchors=anchors, predict_ms=lambda _arch: 1.0, progress=silent)


def test_a_steady_session_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine((1.005, 0.0))
    verification = measure_with(machine, monkeypatch, every_kind())
    assert verification.attempts == 1
    assert verification.drift == pytest.approx(1.005)
    assert verification.timing.median_us == pytest.approx(1005)
    assert verification.timing.runs == module.RUNS
    assert machine.asked == [(3, 0)]


def test_a_file_is_timed_beside_the_anchors(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine((1.0, 0.0))
    measure_with(machine, monkeypatch, Path("model.onnx"))
    assert machine.asked == [(2, 1)]


@pytest.mark.parametrize("first", [(1.2, 0.0), (0.9, 0.0), (1.0, 0.1)], ids=["slow", "fast", "restless"])
def test_an_unsteady_session_is_repeated_and_the_steady_one_counts(
    first: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    verification = measure_with(Machine(first, (1.005, 0.0)), monkeypatch, every_kind())
    assert (verification.drift, verification.attempts) == (pytest.approx(1.005), 2)


def test_of_unsteady_sessions_the_one_nearest_to_the_predictions_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    verification = measure_with(Machine((1.3, 0.0), (0.9, 0.0), (1.2, 0.0)), monkeypatch, every_kind())
    assert verification.attempts == module.ATTEMPTS
    assert verification.drift == pytest.approx(0.9)
    assert verification.timing.median_us == pytest.approx(900)


def test_without_anchors_there_is_no_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    verification = measure_with(Machine((2.0, 0.0)), monkeypatch, every_kind(), anchors=())
    assert (verification.drift, verification.attempts) == (1.0, 1)


def test_anchors_that_the_runtime_refuses_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    verification = measure_with(Machine((1.005, 0.0), failed=[0]), monkeypatch, every_kind())
    assert (verification.drift, verification.attempts) == (pytest.approx(1.005), 1)
    assert measure_with(Machine((1.005, 0.0), failed=[0, 1]), monkeypatch, every_kind()).drift == 1.0


def test_a_subject_that_the_runtime_refuses_is_a_device_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="cannot be timed: an op is unknown"):
        measure_with(Machine((1.0, 0.0), failed=[2]), monkeypatch, Path("model.onnx"))


@pytest.mark.parametrize(
    ("target", "write"),
    [(TARGET, write_onnx), (dataclasses.replace(TARGET, precision="int8", batch=3), write_int8)],
    ids=["fp32", "int8"],
)
def test_an_exported_file_is_really_timed(
    target: Target, write: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RUNS", 12)
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    path = tmp_path / "model.onnx"
    path.write_bytes(write(every_kind(), batch=target.batch))
    verification = verify(target, path, anchors=ANCHORS, predict_ms=lambda _arch: 0.1, progress=silent)
    timing = verification.timing
    assert timing.runs == 12
    assert 0 < timing.min_us <= timing.low_us <= timing.median_us <= timing.high_us
    assert verification.drift > 0


def test_a_file_that_the_runtime_refuses_is_a_device_error(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"garbage")
    with pytest.raises(DeviceError, match="refuses the model"):
        verify(TARGET, tmp_path / "model.onnx", anchors=(), predict_ms=lambda _arch: 1.0, progress=silent)
