"""`nas.sweep`: several budgets in one study, a finished network for each, one table."""

from __future__ import annotations

import itertools
import json

import pytest

from nas.errors import InputError

BUDGETS = "budgets=[5,0.0001,3]"


def reports(home) -> dict[str, dict]:
    return {path.parent.name: json.loads(path.read_text()) for path in home.run.path.glob("*/report.json")}


@pytest.fixture
def swept(home, steady):
    return home, home.do("sweep", BUDGETS)


def test_every_feasible_budget_gets_its_network_and_the_other_its_name(swept, untrained) -> None:
    home, outcome = swept
    assert outcome.code == 3
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: budget_ms=0.0001 cannot be met: the fastest network of tiny takes ")
    found = reports(home)
    assert {name: report["budget_ms"] for name, report in found.items()} == {"3ms": 3, "5ms": 5}
    assert all(report["verdict"] == "PASS" for report in found.values())
    assert {name for name in found if (home.run.path / name / "model.onnx").exists()} == {"3ms", "5ms"}
    assert len(home.run.journal.read_text().splitlines()) == 2 + 2 * 3  # three evaluations in all

    table = json.loads(home.run.sweep.read_text())
    assert [row["budget_ms"] for row in table["rows"]] == [3, 5]
    assert all(a["validation_accuracy"] <= b["validation_accuracy"] for a, b in itertools.pairwise(table["rows"]))
    assert list(table["failed"]) == ["0.0001"]
    assert outcome.out.splitlines()[-3].startswith("budget ms")

    before = home.files()
    untrained()
    again = home.do("sweep", BUDGETS)
    assert (again.code, again.err) == (3, outcome.err)
    assert again.out.splitlines()[-3:] == outcome.out.splitlines()[-3:]
    kept = ("model.onnx", "weights.safetensors", "verification.json", "report.json", "table.json")
    after = home.files()
    assert [path for path in before if path.name in kept and after[path] != before[path]] == []


def test_workers_search_with_the_supernet(home, steady) -> None:
    outcome = home.do("sweep", "budgets=[5]", "workers=2")
    assert (outcome.code, outcome.err) == (0, "")
    assert list(reports(home)) == ["5ms"]


def test_all_budgets_infeasible(home, steady, untrained) -> None:
    untrained()
    outcome = home.do("sweep", "budgets=[0.0002,0.0001]")
    assert outcome.code == 3
    assert len(outcome.err.splitlines()) == 2


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("seed=0", "nas.sweep needs budgets=[...]"),
        ("budgets=[]", "budgets is empty"),
        ("budgets=[1,1]", "given once"),
        ("budgets=[1,-1]", "must be above 0"),
        ("budgets=[1,fast]", "budgets"),
        ("workers=0", "workers = 0"),
    ],
)
def test_bad_budgets(home, argument, says) -> None:
    outcome = home.do("sweep", argument)
    assert outcome.code == 2
    assert says in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_storage_that_cannot_be_reached(home, steady, monkeypatch) -> None:
    monkeypatch.setattr("nas.searcher.storages.OPENINGS", 1)
    outcome = home.do("search", "storage='sqlite:////nowhere/at/all/study.db'")
    assert outcome.code == 4
    assert outcome.err.startswith("error: sqlite:////nowhere/at/all/study.db: the storage failed")


def test_known_networks_of_the_space_are_searched_first(home, steady, monkeypatch) -> None:
    seen = []

    def asked(*_, known, **__):
        seen.append(known)
        raise InputError("enough")

    monkeypatch.setattr("nas.pipeline.stages.search", asked)
    monkeypatch.setattr("nas.pipeline.stages.known_members", lambda space: ({"of": space.name},))
    assert home.do("search").code == 2
    assert seen == [({"of": "tiny"},)]
