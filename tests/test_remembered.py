from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas._config.remembered import OVERRIDES, remembered
from nas.errors import InputError
from nas.results import RunDir

MADE_WITH = ["+target=amd_cpu", "data=folder", "data.root=/images", "budget_ms=3", "name=first", "finetune.epochs=9"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / OVERRIDES).write_text(json.dumps(MADE_WITH))
    (tmp_path / "arch.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("of", ["", "arch.json"])
def test_a_run_or_a_file_in_it_brings_its_arguments(run: Path, of: str) -> None:
    network = f"network={run / of}"
    assert remembered([network]) == [
        "+target=amd_cpu",
        "data=folder",
        "data.root=/images",
        "finetune.epochs=9",
        network,
    ]


def test_a_run_keeps_its_arguments_where_they_are_looked_for(tmp_path: Path) -> None:
    assert RunDir(path=tmp_path).overrides == tmp_path / OVERRIDES


def test_what_is_typed_wins(run: Path) -> None:
    typed = [f"network={run}", "finetune.epochs=2", "target=intel_cpu", "data=fashion_mnist"]
    assert remembered(typed) == typed


@pytest.mark.parametrize("typed", [["network=mobilenet_v3_small"], ["network=/nowhere/run"], ["budget_ms=1"]])
def test_nothing_is_remembered_of_other_networks(typed: list[str]) -> None:
    assert remembered(typed) == typed


def test_a_damaged_file_is_one_line(run: Path) -> None:
    (run / OVERRIDES).write_text('{"a": 1}')
    with pytest.raises(InputError, match=r"overrides.json is no list.*delete it"):
        remembered([f"network={run}"])
