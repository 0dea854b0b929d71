"""The Pareto table of a report."""

from __future__ import annotations

from nas.arch import digest
from nas.pipeline.reporting import pareto_rows
from nas.searcher import Candidate, SearchResult, Winner
from search_spaces.mobilenet_v3 import mobilenet_v3_small


def candidate(number: int, *, accuracy: float, latency_ms: float) -> Candidate:
    arch = mobilenet_v3_small(size_px=32, classes=number + 2)
    return Candidate(arch=arch, key=digest(arch), choices={}, accuracy=accuracy, latency_ms=latency_ms, number=number)


def result(winner: Candidate, *others: Candidate) -> SearchResult:
    return SearchResult(winners=(Winner(budget_ms=1.0, candidate=winner),), trials=(winner, *others), failures=0)


def test_the_winner_has_a_row_even_beside_the_front() -> None:
    winner = candidate(0, accuracy=0.89, latency_ms=0.8)
    lucky = candidate(1, accuracy=0.90, latency_ms=0.6)
    rows = pareto_rows(result(winner, lucky), ())
    assert [(row.latency_ms, row.winner) for row in rows] == [(0.6, False), (0.8, True)]
    assert "model" in rows[1].note


def test_a_winner_on_the_front_has_one_row() -> None:
    winner = candidate(0, accuracy=0.90, latency_ms=0.8)
    fast = candidate(1, accuracy=0.80, latency_ms=0.5)
    rows = pareto_rows(result(winner, fast), ())
    assert [(row.latency_ms, row.winner) for row in rows] == [(0.5, False), (0.8, True)]
    assert rows[1].note == "found; then trained"


def test_no_search_no_rows() -> None:
    assert pareto_rows(None, ()) == ()
