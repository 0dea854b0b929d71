"""Bad input is one clear line on standard error and an exit code; nothing is lost, nothing is trained."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.arch import from_json, to_json
from tests.pipeline.tables import rewrite


def refused(home, command: str, *more: str, code: int = 2) -> str:
    """The one line that a refused command prints."""
    outcome = home.do(command, *more)
    (line,) = outcome.err.splitlines()
    assert (outcome.code, line[:7]) == (code, "error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("buget_ms=1", "did you mean 'budget_ms'"),
        ("searcher.trails=3", "'searcher.trails' (did you mean 'trials'?)"),
        ("searcher=tpee", "did you mean 'tpe'"),
        ("budget_ms=0", "must be above 0"),
        ("budget_ms=-1", "must be above 0"),
        ("budget_ms=nan", "budget_ms"),
        ("budget_ms=inf", "budget_ms"),
        ("budget_ms=fast", "budget_ms"),
        ("target=intel_cpuu", "did you mean 'intel_cpu'"),
        ("name=a/b", "one folder name"),
        ("data.root=/nowhere/at/all", "/nowhere/at/all does not exist"),
        ("space.kernels=[4]", "kernels"),
        ("accuracy.recipe.batch=1000", "fewer than a batch of 1000"),
        ("device=tpu", "device"),
        ("table=/nowhere.json", "cannot read /nowhere.json"),
    ],
)
def test_arguments(home, steady, untrained, argument, says) -> None:
    untrained()
    assert says in refused(home, "search", argument)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has CUDA")
def test_cuda_where_there_is_none(home) -> None:
    assert "torch finds no CUDA device" in refused(home, "search", "device=cuda", code=6)
    assert home.files() == {}


def emptied(root: Path) -> str:
    shutil.rmtree(root)
    root.mkdir()
    return "holds no class folders"


def one_class(root: Path) -> str:
    for name in ("down", "rings"):
        shutil.rmtree(root / name)
    return "holds one class, 'across'"


def class_without_images(root: Path) -> str:
    shutil.rmtree(root / "down")
    (root / "down").mkdir()
    return "down holds no images"


def unreadable(root: Path) -> str:
    for path in (root / "down").iterdir():
        path.write_bytes(b"not an image")
    return "40 of 120 images of"


@pytest.mark.parametrize("spoil", [emptied, one_class, class_without_images, unreadable])
def test_images(home, tmp_path, images, spoil: Callable[[Path], str]) -> None:
    shutil.copytree(images, tmp_path / "images")
    says = spoil(tmp_path / "images")
    assert says in refused(home, "search", f"data.root={tmp_path / 'images'}")
    assert home.files() == {}


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def truncated(path: Path) -> str:
    path.write_text(path.read_text()[:500])
    return "not valid JSON"


def elsewhere(path: Path) -> str:
    rewrite(path, lambda table: replace(table, host=replace(table.host, cpu="Another CPU")))
    return "measured with cpu = 'Another CPU', here it is"


def other_units(path: Path) -> str:
    edit(path, lambda data: data.update(units="ms"))
    return "rows are in 'ms', this version reads 'us'"


def newer_schema(path: Path) -> str:
    edit(path, lambda data: data.update(schema=99))
    return "table schema 99, this version reads"


def text_in_a_row(path: Path) -> str:
    edit(path, lambda data: next(iter(data["rows"].values())).update(us="fast"))
    return "fast"


def edited(path: Path) -> str:
    edit(path, lambda data: next(iter(data["rows"].values())).update(us=1.0))
    return "was edited after it was measured"


def negative(path: Path) -> str:
    rewrite(path, lambda table: replace(table, rows={key: replace(row, us=-1.0) for key, row in table.rows.items()}))
    return "is -1.0 us, must not be negative"


def no_host(path: Path) -> str:
    edit(path, lambda data: data.pop("host"))
    return "host"


SPOILT = [truncated, elsewhere, other_units, newer_schema, text_in_a_row, edited, negative, no_host]


@pytest.mark.parametrize("place", ["table", "tables_dir", "run"])
@pytest.mark.parametrize("spoil", SPOILT)
def test_tables(copied, untrained, spoil: Callable[[Path], str], place) -> None:
    (shared,) = (copied.path / "tables").rglob("*.json")
    path = copied.run.table if place == "run" else shared
    says = spoil(path)
    more = {"table": (f"table={shared}", "name=other"), "tables_dir": ("name=other",), "run": ()}[place]
    before = copied.run.weights.read_bytes(), path.read_bytes()
    untrained()
    line = refused(copied, "search", *more)
    assert says in line
    assert str(path) in line
    assert before == (copied.run.weights.read_bytes(), path.read_bytes())


@pytest.mark.parametrize("command", ["search", "profile"])
def test_another_machines_table_that_lacks_rows(copied, untrained, command) -> None:
    (shared,) = (copied.path / "tables").rglob("*.json")
    elsewhere(shared)
    rewrite(shared, lambda table: replace(table, rows=dict(list(table.rows.items())[:3])))
    untrained()
    line = refused(copied, command, f"table={shared}", "allow_mismatch=true", "name=other")
    assert re.search(r"lacks \d+ rows|no row for '.*' and \d+ more", line)
    assert "python -m nas.measure +target=intel_cpu" in line


def test_another_machines_table_may_be_used_on_demand(copied) -> None:
    (shared,) = (copied.path / "tables").rglob("*.json")
    elsewhere(shared)
    outcome = copied.do("profile", f"table={shared}", "allow_mismatch=true")
    assert (outcome.code, outcome.err) == (0, "")
    assert "another machine" in outcome.out
    assert "Another CPU" in outcome.out


@pytest.mark.parametrize("command", ["measure", "trim", "export", "report", "profile"])
def test_a_network_that_is_not_there(home, steady, command) -> None:
    line = refused(home, command, "network=runs/nothing", "budget_ms=1")
    assert "runs/nothing" in line


@pytest.mark.parametrize("command", ["measure", "trim", "export", "report", "profile"])
def test_a_folder_that_is_no_run(home, steady, tmp_path, command) -> None:
    (tmp_path / "empty").mkdir()
    assert str(tmp_path / "empty") in refused(home, command, f"network={tmp_path / 'empty'}", "budget_ms=1")


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xff" * 64])
@pytest.mark.parametrize("command", ["search", "trim", "export"])
def test_damaged_weights(copied, untrained, content, command) -> None:
    copied.run.weights.write_bytes(content)
    untrained()
    more = () if command == "search" else (f"network={copied.run.path}", "budget_ms=1", "name=other")
    line = refused(copied, command, *more)
    assert line.startswith(f"cannot read {copied.run.weights}")
    assert copied.run.weights.read_bytes() == content


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:300],
        lambda text: text.replace('"conv', '"konv', 1),
        lambda text: text.replace('"widths"', '"width"'),
        lambda text: text.replace('"stem"', '"steam"', 1),
        lambda _text: "[]",
    ],
)
@pytest.mark.parametrize("command", ["trim", "export", "profile"])
def test_a_damaged_architecture(copied, command, change) -> None:
    copied.run.trimmed.write_text(change(copied.run.trimmed.read_text()))
    line = refused(copied, command, f"network={copied.run.path}", "budget_ms=1", "name=other")
    assert "trimmed.json" in line


@pytest.mark.parametrize("command", ["trim", "export"])
def test_weights_of_another_network(copied, command) -> None:
    arch = from_json(copied.run.trimmed.read_text())
    copied.run.trimmed.write_text(to_json(arch.with_widths({"stem": arch.widths["stem"] + 8})))
    line = refused(copied, command, f"network={copied.run.path}", "budget_ms=1", "name=other")
    assert line.startswith(f"{copied.run.weights}: 'stem.")
    assert "were they made by different runs?" in line


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((name, content) for name in ("report", "verification") for content in ("", "{", "[]", '{"other": 1}')),
        *((name, content) for name in ("config", "seconds_file") for content in ("", "{")),
        ("journal", "rubbish\n"),
    ],
)
def test_a_damaged_file_of_a_run(copied, untrained, name, content) -> None:
    path: Path = getattr(copied.run, name)
    path.write_text(content)
    untrained()
    outcome = copied.do("report" if name == "report" else "search")
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    assert str(path) in line
    assert outcome.code == (4 if name == "journal" else 2)


def test_a_network_that_is_not_trained_yet(copied) -> None:
    copied.run.weights.unlink()
    for command in ("trim", "export"):
        line = refused(copied, command, f"network={copied.run.path}", "budget_ms=1", "name=other")
        assert line == f"{copied.run.weights} does not exist; finish the run with the command that began it"


def test_a_truncated_supernet(copied, untrained) -> None:
    (supernet,) = (copied.path / "runs" / ".cache").rglob("supernet.safetensors")
    for path in supernet.parent.glob("*.safetensors"):  # the last checkpoint and the one before
        path.write_bytes(path.read_bytes()[:100])
    untrained()
    assert f"cannot read checkpoint {supernet}" in refused(copied, "search")


def test_a_name_that_another_configuration_took(copied, untrained) -> None:
    before = copied.files()
    untrained()
    line = refused(copied, "search", "seed=1")
    assert "made with another configuration (seed: 0 -> 1)" in line
    after = copied.files()
    assert {path for path in before if before[path] != after[path]} <= {Path("runs/tiny/.lock")}


def test_a_run_that_another_process_works_in(copied, untrained) -> None:
    untrained()
    with copied.run.locked():
        assert f"run {copied.run.path} is in use by process" in refused(copied, "search")


@pytest.mark.parametrize("key", ["runs_dir", "tables_dir"])
def test_a_folder_that_cannot_be_made(home, steady, tmp_path, key) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refused(home, "search", f"{key}={tmp_path / 'file' / 'below'}", code=4)
