"""The other commands, on a finished run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from nas import cli
from nas.latency.measure import model_of
from nas.latency.model import LatencyModel
from nas.latency.table import load_table
from nas.pipeline import catalogue
from nas.progress import Progress
from nas.settings import Settings


def test_measure_prints_the_proof_of_its_table(home, steady) -> None:
    outcome = home.do("measure")
    assert (outcome.code, outcome.err) == (0, "")
    assert "predicted against measured on 4 held-out networks:" in outcome.out
    assert "  error mean " in outcome.out
    (table,) = (home.path / "tables").rglob("*.json")
    held = json.loads(table.read_text())
    assert f"{table}: {len(held['rows'])} rows of " in outcome.out
    assert f"page with pictures: {table.with_suffix('.html')}" in outcome.out
    assert "<svg" in table.with_suffix(".html").read_text()
    (space,) = held["calibrations"]
    assert table.with_suffix(f".{space}.svg").read_text().startswith("<svg")


def test_measure_keeps_a_good_table(home, steady) -> None:
    home.do("measure")
    (table,) = (home.path / "tables").rglob("*.json")
    before, written = home.files().keys(), table.stat().st_mtime_ns
    assert home.do("measure").code == 0
    assert (home.files().keys(), table.stat().st_mtime_ns) == (before, written)


def test_measure_writes_nothing_beside_a_table_it_was_given(home, steady, tmp_path) -> None:
    home.do("measure")
    (table,) = (home.path / "tables").rglob("*.json")
    given = tmp_path / "given" / "table.json"
    given.parent.mkdir()
    given.write_bytes(table.read_bytes())
    outcome = home.do("measure", f"table={given}")
    assert (outcome.code, outcome.err) == (0, "")
    assert "predicted against measured" in outcome.out
    assert list(given.parent.iterdir()) == [given]


def test_train_makes_the_supernet_that_searches_use(done, home, steady, untrained) -> None:
    outcome = home.do("train")
    assert (outcome.code, outcome.err) == (0, "")
    assert "its largest network scores" in outcome.out
    caches = [next((place.path / "runs" / ".cache").iterdir()).name for place in (home, done[0])]
    assert caches[0] == caches[1]
    untrained()
    assert home.do("train").out.splitlines()[-1] == outcome.out.splitlines()[-1]


def test_trim_reaches_a_smaller_budget(copied, untrained) -> None:
    parent = json.loads(copied.run.report.read_text())
    budget_ms = 0.9 * parent["predicted_ms"]
    argv = (f"network={copied.run.path}", f"budget_ms={budget_ms}", "name=smaller")
    outcome = copied.do("trim", *argv)
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads((copied.run.path.parent / "smaller" / "report.json").read_text())
    assert found["verdict"] == "PASS"
    assert found["measured_ms"]["high"] <= budget_ms < parent["measured_ms"]["median"]
    assert found["params"] < parent["params"]
    assert found["trim"][-1]["latency_ms"] == pytest.approx(found["predicted_ms"])
    untrained()
    assert "to be trimmed to budget_ms=" in outcome.out
    again = copied.do("trim", *argv)
    assert outcome.out.endswith(again.out[again.out.index("PASS") :])


def test_trim_says_when_a_budget_is_out_of_reach(copied, untrained) -> None:
    untrained()
    outcome = copied.do("trim", f"network={copied.run.path}", "budget_ms=0.001", "name=smaller")
    assert outcome.code == 3
    assert outcome.err.startswith("error: trimming cannot reach budget_ms=0.001: with every width at ")


@pytest.mark.parametrize("missing", ["network", "budget_ms"])
def test_trim_needs_a_network_and_a_budget(copied, missing) -> None:
    given = {"network": f"network={copied.run.path}", "budget_ms": "budget_ms=1"}
    del given[missing]
    outcome = copied.do("trim", *given.values())
    assert outcome.code == 2
    assert "needs network=FOLDER" in outcome.err


def test_export_times_the_same_file_again(copied, untrained) -> None:
    copied.run.onnx.unlink()
    untrained()
    outcome = copied.do("export", f"network={copied.run.path}")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{copied.run.onnx}: measured " in outcome.out
    assert copied.run.onnx.exists()
    assert copied.run.verification.exists()


def test_report_shows_the_last_screen_again(done) -> None:
    home, outcome = done
    home.run.html.unlink()
    shown = home.do("report", f"network={home.run.path}")
    assert shown.code == 0
    assert outcome.out.endswith(shown.out)
    assert home.run.html.exists()


def test_profile_of_a_space_says_whether_a_budget_fits(home, steady, untrained) -> None:
    untrained()
    outcome = home.do("profile", "budget_ms=3")
    assert (outcome.code, outcome.err) == (0, "")
    assert "  budget 3 ms can be met; " in outcome.out
    assert "tiny on intel_cpu, predicted milliseconds" in outcome.out
    assert "cannot be met by any network" in home.do("profile", "budget_ms=0.001").out


def test_profile_of_a_run_and_of_its_file(copied, untrained) -> None:
    untrained()
    report = json.loads(copied.run.report.read_text())
    for network in (copied.run.path, copied.run.trimmed):
        outcome = copied.do("profile", f"network={network}")
        assert (outcome.code, outcome.err) == (0, "")
        assert f"{network}: {report['params']:,} parameters" in outcome.out
        assert f"predicted {report['predicted_ms']:.4g} ms" in outcome.out


def test_profile_of_a_hand_designed_network(copied, monkeypatch, tmp_path) -> None:
    def of_the_run(settings: Settings, progress: Progress) -> tuple[LatencyModel, Path]:
        """The run's table instead of probes, which take minutes."""
        table = load_table(copied.run.table, target=settings.target, host=None)
        return model_of(table), copied.run.table

    monkeypatch.setattr(catalogue, "open_vocabulary", of_the_run)
    outcome = copied.do("profile", "network=mobilenet_v3_small", "design.size_px=96", f"json={tmp_path / 'one.json'}")
    assert (outcome.code, outcome.err) == (0, "")
    (found,) = json.loads((tmp_path / "one.json").read_text())["networks"]
    assert (found["name"], found["size_px"], found["params"]) == ("mobilenet_v3_small", 96, 2_542_856)
    assert found["measured_ms"]["median"] > 0
    assert found["batches"][0]["batch"] == 8
    assert "mobilenet_v3_small" in outcome.out
    assert (tmp_path / "one.svg").read_text().startswith("<svg")


def test_the_next_commands_can_be_copied(copied, capsys) -> None:
    assert copied.do("search", "name=next").code == 0
    trim, search, profile, tensorboard = json.loads((copied.run.path.parent / "next" / "report.json").read_text())[
        "next"
    ]
    for command, line in (("profile", profile), ("trim", trim), ("search", search)):
        start, argv = shlex.split(line)[:3], shlex.split(line)[3:]
        assert start == ["python", "-m", f"nas.{command}"]
        assert cli.run(command, "", argv) in ((0,) if command == "profile" else (0, 3))
        assert [text for text in capsys.readouterr().err.splitlines() if "cannot" not in text] == []
    assert tensorboard.startswith("tensorboard --logdir ")
