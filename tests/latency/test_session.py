"""The measuring session and its child process: what comes back, and what happens when the child does not."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nas.arch import to_json
from nas.errors import DeviceError, InputError
from nas.formats.onnx import write_onnx
from nas.latency import session, worker
from nas.latency.runtimes import LayerProfile
from nas.latency.session import Measured, measure_networks
from nas.progress import silent
from nas.space import largest, smallest
from nas.target import Target
from tests.net.zoo import SPACE, every_kind

ARCHS = (SPACE.build(largest), SPACE.build(smallest), every_kind())


def measure(target: Target, **options: object) -> Measured:
    return measure_networks(target, options.pop("archs", ()), rounds=3, **{"progress": silent, **options})


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a shell script in the place of the child; `$@` is the real one's command."""

    def replace(script: str) -> Path:
        stub = tmp_path / "child"
        stub.write_text(f"#!/bin/sh\necho attempt >> {tmp_path}/attempts\n{script}\n")
        stub.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(stub))
        return tmp_path / "attempts"

    return replace


def test_networks_and_files_are_timed_in_the_child(target: Target, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(write_onnx(every_kind()))
    reported = []
    measured = measure(
        target,
        archs=ARCHS,
        models=[tmp_path / "model.onnx"],
        profiled=2,
        profile_runs=2,
        progress=lambda *step: reported.append(step),
    )
    assert measured.samples_us.shape == (4, 3)
    assert (measured.samples_us > 0).all()
    assert len(measured.profiles) == 2
    for arch, profile in zip(ARCHS, measured.profiles, strict=False):
        assert set(profile) <= {layer.name for layer in arch.layers}
        assert all(isinstance(layer, LayerProfile) for layer in profile.values())
    assert [step[0] for step in reported] == ["measure: load"] * 4 + ["measure: profile"] * 2 + ["measure: time"] * 3
    assert reported[-1] == ("measure: time", 3, 3, "")


def test_the_worker_answers_its_request(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    pinned = []
    monkeypatch.setattr(worker, "_pin", pinned.append)
    (tmp_path / "model.onnx").write_bytes(write_onnx(every_kind()))
    request = worker.Request(
        target=target,
        archs=tuple(map(to_json, ARCHS)),
        models=(str(tmp_path / "model.onnx"),),
        rounds=2,
        profiled=1,
        profile_runs=1,
        seed=0,
    )
    (tmp_path / "request.json").write_text(json.dumps(dataclasses.asdict(request)))
    worker.run(tmp_path)
    measured = session._read(tmp_path)
    assert measured.samples_us.shape == (4, 2)
    assert len(measured.profiles) == 1
    assert pinned == [1]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == ["time", 2, 2]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot pin")
def test_the_worker_pins_itself_to_the_last_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1, 2, 5})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _process, cores: pinned.append(cores))
    worker._pin(1)
    worker._pin(2)
    worker._pin(9)
    assert pinned == [[5], [2, 5], [0, 1, 2, 5]]


def test_every_runner_runs_once_a_round_in_shuffled_order() -> None:
    order, rounds = [], []
    runners = [lambda i=i: order.append(i) for i in range(5)]
    samples_us = worker.time_models(runners, rounds=4, seed=3, report=rounds.append)
    assert samples_us.shape == (5, 4)
    assert (samples_us > 0).all()
    assert rounds == [1, 2, 3, 4]
    turns = np.array(order).reshape(4, 5, 2)
    assert (turns[:, :, 0] == turns[:, :, 1]).all()  # each untimed, then timed
    assert all(sorted(turn) == [0, 1, 2, 3, 4] for turn in turns[:, :, 0].tolist())
    assert len({tuple(turn) for turn in turns[:, :, 0].tolist()}) > 1


def test_a_model_file_that_is_garbage_is_a_device_error(target: Target, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"garbage")
    with pytest.raises(DeviceError, match=r"intel_cpu failed 2 times: ONNX Runtime .* refuses the model"):
        measure(target, models=[tmp_path / "model.onnx"])


def test_an_error_of_ours_reaches_the_user_without_a_traceback(target: Target, tmp_path: Path) -> None:
    unknown = dataclasses.replace(target, runtime="none")
    request = worker.Request(target=unknown, archs=(), models=(), rounds=1, profiled=0, profile_runs=0, seed=0)
    (tmp_path / "request.json").write_text(json.dumps(dataclasses.asdict(request)))
    command = [sys.executable, "-m", "nas.latency.worker", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: unknown runtime 'none'\n"


def test_the_worker_refuses_an_unknown_runtime(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_pin", lambda _threads: None)
    unknown = dataclasses.replace(target, runtime="none")
    request = worker.Request(target=unknown, archs=(), models=(), rounds=1, profiled=0, profile_runs=0, seed=0)
    (tmp_path / "request.json").write_text(json.dumps(dataclasses.asdict(request)))
    with pytest.raises(InputError, match="unknown runtime 'none'"):
        worker.run(tmp_path)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("kill -9 $$", r"the measuring process died \(code -9\)"),
        ("echo first >&2; echo 'MemoryError: no space' >&2; exit 1", "2 times: MemoryError: no space$"),
        ("exit 3", r"died \(code 3\)"),
    ],
)
def test_a_child_that_dies_is_tried_again_then_reported(target: Target, child, script: str, reason: str) -> None:
    attempts = child(script)
    with pytest.raises(DeviceError, match=reason) as caught:
        measure(target)
    assert "\n" not in str(caught.value)
    assert len(attempts.read_text().splitlines()) == 2


def test_a_child_that_dies_once_does_no_harm(target: Target, child) -> None:
    real = sys.executable
    attempts = child(f'[ $(wc -l < "$(dirname $0)/attempts") = 1 ] && kill -9 $$\nexec {real} "$@"')
    assert measure(target, archs=ARCHS[1:2]).samples_us.shape == (1, 3)
    assert len(attempts.read_text().splitlines()) == 2


def test_a_child_that_hangs_is_killed(target: Target, child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SILENCE_S", 0.1)
    attempts = child("exec sleep 600")
    with pytest.raises(DeviceError, match=r"failed 2 times: no sign of life for 0\.1 s"):
        measure(target)
    assert len(attempts.read_text().splitlines()) == 2


def test_an_error_in_between_takes_the_child_with_it(target: Target, child) -> None:
    pid = child('echo $$ > "$(dirname $0)/pid"; echo \'["load", 1, 2]\'; exec sleep 600').with_name("pid")

    def interrupt(*_step: object) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        measure(target, progress=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
