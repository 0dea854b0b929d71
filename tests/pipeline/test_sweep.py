"""`-m budget_ms=a,b,c`: one supernet, one table, and a budget that fails stops no other."""

from __future__ import annotations

import json

from nas import cli


def test_budgets_share_supernet_and_table(home, steady, capsys) -> None:
    argv = [text for text in home.argv("-m", "budget_ms=5,0.0001,3") if not text.startswith("name=")]
    assert cli.run("search", "", argv) == 3
    assert len(list((home.path / "runs" / ".cache").glob("supernet-*"))) == 1
    assert len(list((home.path / "tables").rglob("*.json"))) == 1
    reports = [json.loads(path.read_text()) for path in (home.path / "runs").glob("*/report.json")]
    assert sorted(report["budget_ms"] for report in reports) == [3, 5]
    assert [report["verdict"] for report in reports] == ["PASS", "PASS"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: budget_ms=0.0001 cannot be met: the fastest network of tiny takes ")


def test_an_infeasible_budget_is_refused_before_training(home, steady, untrained) -> None:
    untrained()
    outcome = home.do("search", "budget_ms=0.0001")
    assert outcome.code == 3
    assert " ms on intel_cpu (most in " in outcome.err
    assert not (home.path / "runs" / ".cache").exists()
