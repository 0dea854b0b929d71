"""Where a run's prices come from: measured, found and brought to today's speed, kept; and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.arch import Arch
from nas.latency.session import Measured
from nas.latency.table import LatencyTable
from nas.target import Target
from tests.pipeline import clock
from tests.pipeline.tables import rewrite

AGAIN = "name=again"


@pytest.fixture
def at(copied, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a module's measurements take `factor` times the clock's, with noise; returns how many networks each had."""

    def install(module: str, factor: float, *, noise: float = 0.0) -> list[int]:
        asked: list[int] = []

        def measure_networks(target: Target, archs: Sequence[Arch], **options: Any) -> Measured:
            asked.append(len(archs))
            measured = clock.measure_networks(target, archs, **options)
            jitter = np.random.default_rng(0).exponential(noise, measured.samples_us.shape) if noise else 0.0
            return replace(measured, samples_us=measured.samples_us * factor * (1 + jitter))

        monkeypatch.setattr(import_module(module), "measure_networks", measure_networks)
        return asked

    return install


def scales(table: Path) -> list[float]:
    return [calibration["scale"] for calibration in json.loads(table.read_text())["calibrations"].values()]


def shared_table(home) -> Path:
    (path,) = (home.path / "tables").rglob("*.json")
    return path


def notes(home, name: str) -> str:
    return "\n".join(json.loads((home.path / "runs" / name / "report.json").read_text())["notes"])


def test_a_table_measured_just_now_is_not_checked_again(done) -> None:
    home, _ = done
    assert not (home.run.path / "anchors.json").exists()
    assert scales(home.run.table) == scales(shared_table(home))


def test_a_table_found_is_checked_and_kept_where_the_machine_is_as_it_was(copied, at) -> None:
    asked = at("nas.latency.drift", 1.02)
    assert copied.do("search", AGAIN).code == 0
    run = copied.path / "runs" / "again"
    assert asked == [3]
    assert scales(run / "table.json") == scales(shared_table(copied))
    assert json.loads((run / "anchors.json").read_text())["drift"] == pytest.approx(0.02)
    assert "recalibrated" not in notes(copied, "again")


def test_a_drifted_machine_recalibrates_the_runs_own_copy(copied, at, monkeypatch) -> None:
    before = shared_table(copied).read_bytes()
    at("nas.latency.drift", 1.1)
    at("nas.deploy.verify", 1.1)
    outcome = copied.do("search", AGAIN)
    assert (outcome.code, outcome.err) == (0, "")
    run = copied.path / "runs" / "again"
    assert scales(run / "table.json") == pytest.approx([1.1 * scale for scale in scales(shared_table(copied))])
    assert shared_table(copied).read_bytes() == before
    assert "the machine was +10.0% off the latency that the table was calibrated to" in notes(copied, "again")
    (run / "report.json").unlink()
    monkeypatch.setattr(import_module("nas.latency.drift"), "measure_networks", pytest.fail)
    assert copied.do("search", AGAIN).code == 0  # a resumed run keeps its level and what was said of it
    assert "+10.0% off" in notes(copied, "again")


def test_a_machine_far_off_its_own_table_is_measured_anew(copied, at) -> None:
    asked = at("nas.latency.drift", 1.5)
    at("nas.latency.bench", 1.5)
    at("nas.deploy.verify", 1.5)
    before = shared_table(copied).read_bytes()
    assert copied.do("search", AGAIN).code == 0
    assert asked == [3, 3]
    assert shared_table(copied).read_bytes() != before
    assert scales(copied.path / "runs" / "again" / "table.json") == scales(shared_table(copied))
    assert "recalibrated" not in notes(copied, "again")


def test_a_machine_far_off_a_table_it_is_given_is_refused_unless_it_is_wanted_as_it_is(copied, at) -> None:
    asked, given = at("nas.latency.drift", 1.5), f"table={shared_table(copied)}"
    outcome = copied.do("search", AGAIN, given)
    assert outcome.code == 6
    assert "(+50%), in two sessions of 3 anchor networks" in outcome.err
    assert asked == [3, 3]
    assert not (copied.path / "runs" / "again" / "table.json").exists()
    assert copied.do("search", "name=as_it_is", "allow_mismatch=true", given).code == 0
    assert "was not checked, by allow_mismatch=true" in notes(copied, "as_it_is")
    assert asked == [3, 3]


def test_a_noisy_machine_is_noted(copied, at) -> None:
    at("nas.latency.drift", 1.0, noise=0.2)
    assert copied.do("search", AGAIN).code == 0
    assert "the machine is noisy: even and odd runs differ by" in notes(copied, "again")


def test_a_machine_too_noisy_to_measure_on_leaves_nothing(home, steady, copied, at, untrained) -> None:
    shared = shared_table(copied)
    shared.unlink()
    at("nas.latency.bench", 1.0, noise=3.0)
    untrained()
    outcome = copied.do("search", AGAIN)
    (line,) = outcome.err.splitlines()
    assert outcome.code == 6
    assert "nothing is stored: the machine is unusable" in line
    assert [path.name for path in shared.parent.iterdir()] == [".lock"]
    assert not (copied.path / "runs" / "again" / "table.json").exists()


def test_every_measuring_session_of_a_table_has_a_folder_that_goes_with_it(home, monkeypatch) -> None:
    folders: list[Path] = []

    def measure_networks(*args: Any, folder: Path, **options: Any) -> Measured:
        folders.append(folder)
        folder.mkdir(parents=True)
        return clock.measure_networks(*args, **options)

    clock.install(monkeypatch)
    monkeypatch.setattr(import_module("nas.latency.bench"), "measure_networks", measure_networks)
    assert home.do("measure").code == 0
    table = shared_table(home)
    assert folders
    assert len(set(folders)) == len(folders)
    assert all(path.is_relative_to(table.with_suffix(".measuring")) and not path.exists() for path in folders)
    assert not table.with_suffix(".measuring").exists()


@pytest.mark.parametrize("field", ["cpu", "runtime_version"])
def test_prices_of_another_machine_say_what_differs(copied, field: str) -> None:
    path = shared_table(copied)
    rewrite(path, lambda table: replace(table, host=replace(table.host, **{field: "another"})))
    assert copied.do("search", AGAIN, f"table={path}", "allow_mismatch=true").code == 0
    assert f"prices of another machine, by allow_mismatch=true: {field} 'another', here '" in notes(copied, "again")


def with_bad_proof(table: LatencyTable) -> LatencyTable:
    ((space, calibration),) = table.calibrations.items()
    return table.with_calibration(space, replace(calibration, proof=replace(calibration.proof, mape_pct=7.0)))


def test_a_bad_proof_is_noted(copied, steady) -> None:
    path = shared_table(copied)
    rewrite(path, with_bad_proof)
    assert copied.do("search", AGAIN, f"table={path}").code == 0
    assert "the latency table is poor: 7.0 % mean error on" in notes(copied, "again")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"drift": "far"}'])
def test_a_damaged_check_of_the_level_is_one_clear_line(copied, steady, content: str) -> None:
    assert copied.do("search", AGAIN).code == 0
    path = copied.path / "runs" / "again" / "anchors.json"
    path.write_text(content)
    outcome = copied.do("search", AGAIN)
    (line,) = outcome.err.splitlines()
    assert (outcome.code, str(path) in line) == (2, True)
