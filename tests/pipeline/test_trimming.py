"""`nas.trim` of a network that no space was searched for: by name or by file, with weights or trained first."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from nas import config
from nas._config.compose import compose
from nas.arch import CLASSES, Arch, from_json, to_json
from nas.net import Network, load_network, save_network, statistic_shapes
from nas.results import RunDir
from nas.space import largest
from tests.pipeline.conftest import Home
from tests.pipeline.tables import rewrite
from tests.pipeline.test_bad_input import elsewhere, refused

SHORT = ("finetune.epochs=1", "target.grain=4", "netadapt.shortlist=2", "netadapt.step=0.05")
ONE = ("network=mobilenet_v3_small", "design.size_px=16", "design.total_stride=4", "design.width=0.25")


@pytest.fixture
def wide(home: Home, tmp_path: Path) -> Path:
    """The largest network of the tiny job's space, as a file, made for 10 classes: the data have 3."""
    (settings,) = config.load(compose(home.argv()))
    path = tmp_path / "wide.json"
    path.write_text(to_json(settings.make_space(image_channels=1, classes=10).build(largest)), encoding="utf-8")
    return path


def told(home: Home, name: str) -> dict[str, Any]:
    return json.loads((home.path / "runs" / name / "report.json").read_text(encoding="utf-8"))


def trimmed(home: Home, *more: str, name: str, share: float = 0.7) -> dict[str, Any]:
    """Trim to a share of the network's own latency, which a run of no moves tells first; the report."""
    if not (home.path / "runs" / "whole").exists():
        assert home.do("trim", *SHORT, *more, "name=whole", "budget_ms=1000").code == 0
    own_ms = told(home, "whole")["predicted_ms"]
    outcome = home.do("trim", *SHORT, *more, f"name={name}", f"budget_ms={share * own_ms}")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"to be trimmed to budget_ms={share * own_ms:g}, {share:.0%} of it" in outcome.out
    return told(home, name)


def own_weights(path: Path, arch: Arch) -> Path:
    network = Network(arch, seed=3)
    tensors = network.tensors()
    with torch.no_grad():
        for name in statistic_shapes(arch):
            tensors[name] += 0.1
    return save_network(path, network)


def test_a_network_by_name_is_trained_and_trimmed(home: Home, steady: None) -> None:
    found = trimmed(home, *ONE, name="small")
    run = RunDir(path=home.path / "runs" / "small")
    assert found["verdict"] == "PASS"
    assert found["space"]["name"] == "mobilenet_v3_small_16px_widths"
    assert found["pareto"] == found["evaluated"] == []
    network = load_network(run.trimmed, run.weights)
    assert network.arch.classes == 3
    assert network.arch.widths != from_json(run.arch.read_text()).widths
    with run.moves.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["width"] for row in rows] == [move["width"] for move in found["trim"]]
    assert run.trim_svg.read_text().startswith("<svg")
    assert run.trim_svg.read_text() in run.html.read_text()
    assert found["files"]["moves"] == str(run.moves)
    assert found["dropped_proposals"] == 0


def test_runs_that_trim_one_network_share_its_training_and_its_table(home: Home, wide: Path, steady: None) -> None:
    found = trimmed(home, f"network={wide}", name="half", share=0.6)
    whole = told(home, "whole")
    assert (whole["trim"], whole["verdict"]) == ([], "PASS")
    assert "no width was changed: the network keeps the budget as it is" in whole["notes"]
    assert not RunDir(path=home.path / "runs" / "whole").moves.exists()
    assert whole["seconds"]["train"] > 0
    assert "train" not in found["seconds"]
    assert len(list((home.path / "runs" / ".cache").glob("network-*"))) == 1
    assert len(list((home.path / "tables").rglob("*.json"))) == 1


def test_a_trimming_that_was_stopped_goes_on(home: Home, wide: Path, steady: None, monkeypatch) -> None:
    taught = (f"network={wide}", "trim.teacher=untrimmed")
    whole = trimmed(home, *taught, name="through", share=0.5)
    assert len(whole["trim"]) > 2
    module = import_module("nas.netadapt.trim")
    save, saved = module.save, []

    def stop_after_two(*args: Any, **kwargs: Any) -> None:
        save(*args, **kwargs)
        saved.append(1)
        if len(saved) == 2:
            raise KeyboardInterrupt

    argv = (*SHORT, *taught, "name=stopped", f"budget_ms={whole['budget_ms']}")
    with monkeypatch.context() as patch:
        patch.setattr(module, "save", stop_after_two)
        assert home.do("trim", *argv).code == 130
    outcome = home.do("trim", *argv)
    assert (outcome.code, outcome.err) == (0, "")
    found = told(home, "stopped")
    assert found["trim"] == whole["trim"]
    assert found["validation_accuracy"] == whole["validation_accuracy"]


def test_given_weights_are_trimmed_as_they_are_and_kept(home: Home, wide: Path, steady: None, tmp_path) -> None:
    arch = from_json(wide.read_text()).with_widths({CLASSES: 3})
    weights = own_weights(tmp_path / "own.safetensors", arch)
    argv = (f"network={wide}", f"weights={weights}")
    found = trimmed(home, *argv, name="given")
    assert "train" not in found["seconds"]
    kept = load_network(*(home.path / "runs" / "given" / f"start.{kind}" for kind in ("json", "safetensors")))
    assert torch.equal(kept.tensors()["stem.weight"], Network(arch, seed=3).tensors()["stem.weight"])
    weights.unlink()
    assert home.do("trim", *SHORT, *argv, "name=given", f"budget_ms={found['budget_ms']}").code == 0


def test_weights_of_other_classes_are_adapted_and_trained_first(home: Home, wide: Path, steady: None, tmp_path) -> None:
    weights = own_weights(tmp_path / "own.safetensors", from_json(wide.read_text()))
    outcome = home.do("trim", *SHORT, f"network={wide}", f"weights={weights}", "name=adapted", "budget_ms=1000")
    assert (outcome.code, outcome.err) == (0, "")
    assert "of 10 classes and 1 image channels: adapted to 3 and 1 and trained first" in outcome.out
    assert "no width needs to change" in outcome.out
    assert told(home, "adapted")["seconds"]["train"] > 0


@pytest.mark.parametrize(
    ("wanted", "says"),
    [("untrimmed", "the untrimmed network, "), ("auto", "none, the untrimmed network's ")],
)
def test_the_untrimmed_network_teaches(home: Home, wide: Path, steady: None, wanted, says) -> None:
    """Of a network that is not narrowed there is nothing to learn: it does not lead."""
    argv = (*SHORT, f"network={wide}", f"trim.teacher={wanted}", "name=taught", "budget_ms=1000")
    assert home.do("trim", *argv).code == 0
    assert [note for note in told(home, "taught")["notes"] if note.startswith(f"teacher of the fine-tuning: {says}")]


def test_what_was_trimmed_can_be_trimmed_exported_and_profiled(home: Home, wide: Path, steady: None, untrained) -> None:
    first = trimmed(home, f"network={wide}", name="first")
    again = home.do("trim", *SHORT, f"network={home.path / 'runs' / 'first'}", "name=again", "budget_ms=1000")
    assert (again.code, again.err) == (0, "")
    found = told(home, "again")
    assert found["space"] == first["space"]
    assert found["predicted_ms"] == pytest.approx(first["predicted_ms"])
    untrained()
    for command in ("export", "profile"):
        outcome = home.do(command, *SHORT, f"network={home.path / 'runs' / 'again'}")
        assert (outcome.code, outcome.err) == (0, "")
    assert len(list((home.path / "tables").rglob("*.json"))) == 1
    assert [command.split()[2] for command in found["next"][:2]] == ["nas.trim", "nas.profile"]


def test_measure_makes_the_table_that_trimming_uses(home: Home, wide: Path, steady: None, untrained) -> None:
    outcome = home.do("measure", *SHORT, f"network={wide}")
    assert (outcome.code, outcome.err) == (0, "")
    (table,) = (home.path / "tables").rglob("*.json")
    before = table.stat().st_mtime_ns
    untrained()
    line = refused(home, "trim", *SHORT, f"network={wide}", "budget_ms=0.0001", code=3)
    assert line.startswith("trimming cannot reach budget_ms=0.0001: with every width at its least the network takes ")
    assert table.stat().st_mtime_ns == before


def test_measure_of_a_run_takes_the_widths_that_were_trimmed(home: Home, wide: Path, steady: None) -> None:
    assert home.do("trim", *SHORT, f"network={wide}", "budget_ms=1000", "name=first").code == 0
    tables = {path: path.stat().st_mtime_ns for path in (home.path / "tables").rglob("*.json")}
    outcome = home.do("measure", *SHORT, f"network={home.path / 'runs' / 'first'}")
    assert (outcome.code, outcome.err) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in (home.path / "tables").rglob("*.json")} == tables


def test_another_machines_table_that_lacks_widths(home: Home, wide: Path, steady: None, untrained) -> None:
    assert home.do("measure", *SHORT, f"network={wide}").code == 0
    (shared,) = (home.path / "tables").rglob("*.json")
    elsewhere(shared)
    rewrite(shared, lambda table: replace(table, rows=dict(list(table.rows.items())[:3])))
    untrained()
    argv = (f"network={wide}", f"table={shared}", "budget_ms=1")
    assert "measured with cpu = 'Another CPU'" in refused(home, "trim", *SHORT, *argv)
    line = refused(home, "trim", *SHORT, *argv, "allow_mismatch=true", "name=other")
    assert "rows that the space wide_16px_widths needs" in line
    assert "python -m nas.measure +target=intel_cpu on the machine it belongs to, with this command's" in line


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("network=mobilenet_v3_larg", "did you mean 'mobilenet_v3_large'"),
        ("network=/nowhere/net.json", "network=/nowhere/net.json: neither a run folder, nor a file"),
        ("design.size_px=1", "size_px = 1 is too small"),
        ("design.colour=3", "unknown key 'design.colour'"),
        ("weights=/nowhere.safetensors", "/nowhere.safetensors is no file"),
        ("budget_ms=0", "must be above 0"),
        ("budget_ms=-1", "must be above 0"),
        ("budget_ms=nan", "budget_ms"),
        ("trim.teacher=largest", "trim.teacher = 'largest': expected one of none, untrimmed, auto"),
    ],
)
def test_arguments(home: Home, steady: None, untrained, argument, says) -> None:
    untrained()
    line = refused(home, "trim", *ONE, "budget_ms=1", argument)
    assert says in line
    assert not (home.path / "tables").exists()


def test_a_budget_is_needed(home: Home) -> None:
    assert "and budget_ms=..., the latency to trim to" in refused(home, "trim", *ONE)
    assert home.files() == {}


def narrower(path: Path, arch: Arch) -> str:
    own_weights(path, arch.with_widths({CLASSES: 3, "stem": 4}))
    return "'stem.weight' is (4, 1, 3, 3) of float32, 'stem.weight' needs (8, 1, 3, 3)"


def rubbish(path: Path, _arch: Arch) -> str:
    path.write_bytes(b"no safetensors at all")
    return f"cannot read {path}: "


def truncated(path: Path, arch: Arch) -> str:
    path.write_bytes(own_weights(path, arch).read_bytes()[:3000])
    return f"cannot read {path}: "


def strangers(path: Path, _arch: Arch) -> str:
    save_file({"backbone.stuff": torch.zeros(3)}, path)
    return "'backbone.stuff' is not named as in the state dicts"


@pytest.mark.parametrize("make", [narrower, rubbish, truncated, strangers])
@pytest.mark.usefixtures("steady")
def test_weights_that_do_not_fit(home: Home, wide: Path, untrained, make) -> None:
    untrained()
    path = wide.with_name("some.safetensors")
    says = make(path, from_json(wide.read_text()))
    line = refused(home, "trim", f"network={wide}", f"weights={path}", "budget_ms=1")
    assert says in line
    assert not (home.path / "tables").exists()


def test_a_run_has_weights_of_its_own(copied: Home, untrained) -> None:
    untrained()
    argv = (f"network={copied.run.path}", f"weights={copied.run.weights}", "budget_ms=1", "name=other")
    assert "has its own; give the network's file or name" in refused(copied, "trim", *argv)
