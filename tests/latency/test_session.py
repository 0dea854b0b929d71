"""The measuring session and its child process: what comes back, and what happens when the child does not."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nas.arch import CLASSES, Arch
from nas.errors import DeviceError
from nas.formats.onnx import write_onnx
from nas.latency import session
from nas.latency.runtimes import LayerProfile
from nas.latency.session import Measured, measure_networks
from nas.progress import silent
from nas.space import largest, smallest
from nas.target import Target
from tests.latency import moody
from tests.net.zoo import SPACE, every_kind

ARCHS = (SPACE.build(largest), SPACE.build(smallest), every_kind())
ROOT = Path(__file__).parents[2]
TARGET = Target(name="intel_cpu", runtime="onnxruntime")
PYTHON = sys.executable
GOOD = 100  # classes of a network without a mood


def of(classes: int) -> Arch:
    return every_kind().with_widths({CLASSES: classes})


def measure(target: Target, **options: object) -> Measured:
    return measure_networks(target, options.pop("archs", ()), **{"rounds": 3, "progress": silent, **options})


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a shell script in the place of the child; `$@` is the real one's command."""

    def replace(script: str) -> Path:
        stub = tmp_path / "child"
        stub.write_text(f"#!/bin/sh\necho attempt >> {tmp_path}/attempts\n{script}\n")
        stub.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(stub))
        return tmp_path / "attempts"

    return replace


@pytest.fixture
def moods(child: Callable[[str], Path]) -> Path:
    """Networks of a few classes have moods; the file with a line for each child."""
    return child(f'exec {sys.executable} {moody.__file__} "$@"')


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
    assert (dict(measured.failed), 0 <= measured.steal_pct <= 100) == ({}, True)
    assert [step[0] for step in reported] == ["measure: profile"] * 2 + ["measure: load"] * 4 + ["measure: time"] * 3
    assert reported[-1] == ("measure: time", 3, 3, "")


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        (moody.REFUSED, "refuses the model"),
        (moody.RAISES, "cannot run"),
        (moody.UNPROFILED, "ValueError"),
        (moody.CRASHES, "the measuring process died (code 247)"),
    ],
)
def test_a_network_that_fails_is_left_out_and_the_rest_goes_on(
    target: Target, moods: Path, mood: int, reason: str
) -> None:
    measured = measure(target, archs=[of(GOOD), of(mood), of(GOOD + 1)], profiled=2, profile_runs=1)
    assert dict(measured.failed) == {1: reason}
    assert np.isnan(measured.samples_us).tolist() == [[False] * 3, [True] * 3, [False] * 3]
    assert [set(profile) for profile in measured.profiles] == [{"stem"}, set()]
    assert len(moods.read_text().splitlines()) == (3 if mood == moody.CRASHES else 1)


def test_several_may_fail(target: Target, moods: Path) -> None:
    archs = [of(n) for n in (moody.CRASHES, GOOD, moody.REFUSED, moody.CRASHES, moody.RAISES)]
    measured = measure(target, archs=archs)
    assert sorted(measured.failed) == [0, 2, 3, 4]
    assert not np.isnan(measured.samples_us[1]).any()


def test_a_crash_that_does_not_come_again_is_forgiven(target: Target, moods: Path) -> None:
    measured = measure(target, archs=[of(GOOD), of(moody.CRASHES_ONCE)])
    assert dict(measured.failed) == {}
    assert not np.isnan(measured.samples_us).any()
    assert len(moods.read_text().splitlines()) == 2


def test_a_network_that_hangs_is_left_out(target: Target, moods: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ATTEMPTS", 1)
    measured = measure(target, archs=[of(moody.HANGS), of(GOOD)], hang_s=0.5)
    assert dict(measured.failed) == {0: "no sign of life for 0.5 s"}
    assert not np.isnan(measured.samples_us[1]).any()


def test_many_slow_steps_are_no_hang(target: Target, moods: Path) -> None:
    assert dict(measure(target, archs=[of(moody.SLOW)], rounds=40, hang_s=1.0).failed) == {}


def test_everything_failing_is_a_device_error(target: Target, moods: Path) -> None:
    with pytest.raises(DeviceError, match=r"^measuring on intel_cpu failed: refuses the model, and 1 more networks"):
        measure(target, archs=[of(moody.REFUSED), of(moody.RAISES)])


def test_a_model_file_that_is_garbage_is_a_device_error(target: Target, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"garbage")
    with pytest.raises(DeviceError, match=r"intel_cpu failed: ONNX Runtime .* refuses the model"):
        measure(target, models=[tmp_path / "model.onnx"])


def test_an_error_of_ours_reaches_the_user_without_a_traceback(target: Target) -> None:
    with pytest.raises(DeviceError, match=r"^measuring on intel_cpu failed 2 times: unknown runtime 'none'"):
        measure(dataclasses.replace(target, runtime="none"), archs=ARCHS[:1])


def test_the_same_request_goes_on_where_the_last_ended(target: Target, moods: Path, tmp_path: Path) -> None:
    archs = [of(GOOD), of(moody.REFUSED), of(GOOD + 1)]
    first = measure(target, archs=archs, profiled=1, profile_runs=1, folder=tmp_path / "kept")
    again = measure(target, archs=archs, profiled=1, profile_runs=1, folder=tmp_path / "kept")
    np.testing.assert_array_equal(again.samples_us, first.samples_us)
    assert dataclasses.replace(again, samples_us=first.samples_us) == first
    assert len(moods.read_text().splitlines()) == 1


def test_another_request_begins_anew(target: Target, moods: Path, tmp_path: Path) -> None:
    first = measure(target, archs=[of(GOOD)], folder=tmp_path / "kept")
    other = measure(target, archs=[of(GOOD)], folder=tmp_path / "kept", seed=1)
    assert (other.samples_us != first.samples_us).any()
    assert len(moods.read_text().splitlines()) == 2


def test_a_session_killed_in_the_middle_goes_on(moods: Path, tmp_path: Path) -> None:
    """Its parent is killed with -9: the child ends by itself, and no finished round is lost."""
    kept = tmp_path / "kept"
    command = "import sys; from tests.latency.test_session import *; long_session(Path(sys.argv[1]), sys.argv[2])"
    parent = subprocess.Popen(
        [PYTHON, "-c", command, kept, sys.executable], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT
    )
    records = kept / "records"
    wait_for(lambda: records.exists() and records.read_bytes().count(b"\n") >= 3)
    parent.kill()
    parent.wait()
    before = records.read_bytes()
    measured = long_session(kept, sys.executable)
    whole = before[: before.rindex(b"\n") + 1]
    assert records.read_bytes().startswith(whole)
    assert whole.count(b"\n") < 11
    assert measured.samples_us.shape == (2, 10)
    assert not np.isnan(measured.samples_us).any()


def long_session(folder: Path, child: str) -> Measured:
    """Ten rounds of 40 ms, by a stand-in for the child."""
    sys.executable = child
    return measure(TARGET, archs=[of(GOOD), of(moody.SLOW)], rounds=10, folder=folder)


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.01)


def test_a_child_whose_parent_is_gone_ends(target: Target, child: Callable[[str], Path]) -> None:
    pid = child(f'echo $$ > "$(dirname $0)/pid"; exec {sys.executable} {moody.__file__} "$@"').with_name("pid")

    def interrupt(*_step: object) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        measure(target, archs=[of(GOOD)], progress=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("kill -9 $$", r"the measuring process died \(code -9\)"),
        ("echo first >&2; echo 'MemoryError: no space' >&2; exit 1", "2 times: MemoryError: no space$"),
        ("exit 3", r"died \(code 3\)"),
        ("exit 0", r"died \(code 0\)"),
    ],
)
def test_a_child_that_dies_before_the_first_network_is_tried_again_then_reported(
    target: Target, child: Callable[[str], Path], script: str, reason: str
) -> None:
    attempts = child(script)
    with pytest.raises(DeviceError, match=reason) as caught:
        measure(target, archs=ARCHS[:1])
    assert "\n" not in str(caught.value)
    assert len(attempts.read_text().splitlines()) == 2


def test_a_child_that_hangs_before_the_first_network_is_killed(
    target: Target, child: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SILENCE_S", 0.1)
    attempts = child("exec sleep 600")
    with pytest.raises(DeviceError, match=r"failed 2 times: no sign of life for 0\.1 s"):
        measure(target, archs=ARCHS[:1])
    assert len(attempts.read_text().splitlines()) == 2
