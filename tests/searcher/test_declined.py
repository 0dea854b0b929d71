"""What an evaluator declines is neither scored nor failed, is not counted, and is not asked for again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas.errors import DeclinedError
from nas.searcher import AdditiveLatency, ChoiceSpace, search

SPACE = ChoiceSpace("toy", {"kernel": (3, 5), "depth": (1, 2, 3), "width": (8, 16, 24)})
LATENCY = AdditiveLatency(
    {"kernel": {3: 1.0, 5: 1.5}, "depth": {1: 1.0, 2: 2.0, 3: 3.0}, "width": {8: 1, 16: 2, 24: 3}}
)
ALL = 18


def test_declined_networks(tmp_path: Path) -> None:
    asked: list[Any] = []

    def evaluate(network: Any) -> float:
        asked.append(network)
        if network["kernel"] == 5:
            raise DeclinedError("not worth it")
        return float(network["depth"] * network["width"])

    def run(trials: int) -> Any:
        return search(SPACE, evaluate, LATENCY, budget_ms=99, trials=trials, seed=0, storage=tmp_path / "journal")

    found = run(ALL)
    assert len(found.trials) == ALL / 2
    assert found.failures == 0
    assert found.best.choices == {"kernel": 3, "depth": 3, "width": 24}
    assert len(asked) == ALL
    assert len(run(ALL).trials) == ALL / 2
    assert len(asked) == ALL
