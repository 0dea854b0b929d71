"""The table of probes: where it is measured, and what a killed or a failed measurement leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas._config.compose import compose
from nas.config import load
from nas.errors import DeviceError
from nas.latency.table import LatencyTable, load_table
from nas.pipeline import catalogue
from nas.progress import silent
from nas.settings import Settings

Measure = Callable[[Path], LatencyTable]


@pytest.fixture
def settings(copied, tmp_path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(catalogue, "shipped_tables", lambda: tmp_path / "none")
    (settings,) = load(compose(copied.argv()))
    return settings


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Callable[[Measure], None]:
    """Let a function make the table, given its folder, instead of probes, which take minutes."""

    def install(measure: Measure) -> None:
        def measure_space(*_: object, folder: Path, **_options: Any) -> LatencyTable:
            return measure(folder)

        monkeypatch.setattr(catalogue, "measure_space", measure_space)

    return install


def test_a_killed_measurement_goes_on_in_its_folder(copied, settings, measuring) -> None:
    def killed(folder: Path) -> LatencyTable:
        folder.mkdir(parents=True)
        (folder / "found").touch()
        raise KeyboardInterrupt

    def resumed(folder: Path) -> LatencyTable:
        assert (folder / "found").exists()
        return load_table(copied.run.table, target=settings.target, host=None)

    measuring(killed)
    with pytest.raises(KeyboardInterrupt):
        catalogue.open_vocabulary(settings, silent)
    measuring(resumed)
    model, path = catalogue.open_vocabulary(settings, silent)
    assert path == catalogue.vocabulary_path(settings)
    assert load_table(path, target=settings.target, host=None) == model.table
    assert not path.with_suffix(".measuring").exists()


def test_a_failed_measurement_leaves_nothing(settings, measuring) -> None:
    def failed(folder: Path) -> LatencyTable:
        folder.mkdir(parents=True)
        raise DeviceError("too noisy")

    measuring(failed)
    with pytest.raises(DeviceError, match="too noisy"):
        catalogue.open_vocabulary(settings, silent)
    path = catalogue.vocabulary_path(settings)
    assert not path.exists()
    assert not path.with_suffix(".measuring").exists()
