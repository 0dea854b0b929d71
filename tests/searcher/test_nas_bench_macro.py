"""The runnable example, on the real benchmark where it is present."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "search_nas_bench_macro.py"


@pytest.fixture
def example():
    spec = importlib.util.spec_from_file_location("search_nas_bench_macro", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not module.DATA.exists():
        pytest.skip(f"{module.DATA} is not here")
    return module


def test_the_example_finds_the_best_networks(example, tmp_path) -> None:
    result = example.find(example.DATA, str(tmp_path / "study.journal"))
    _, accuracy, latency = example.macro_space(example.DATA)
    ms = {code: latency({f"layer{i}": option for i, option in enumerate(code)}) for code in accuracy}
    assert len(result.trials) == 60
    for winner in result.winners:
        best = max(accuracy[code] for code in accuracy if ms[code] <= winner.budget_ms)
        assert winner.candidate.latency_ms == pytest.approx(ms[winner.candidate.arch])
        assert winner.candidate.accuracy >= 0.995 * best
