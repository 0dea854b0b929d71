"""The table of a sweep: for every budget the best of all delivered networks that was measured within it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nas.files import write_json
from nas.results.report import RunReport


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepRow:
    """What is recommended for a budget; accuracies never fall from one row to the next.

    Attributes:
        verdict: Whether the network keeps the budget, `PASS` or `FAIL`.
        run: Folder of the network's run: the budget's own, or a smaller budget's whose network is no worse.
    """

    budget_ms: float
    verdict: str
    measured_ms: float
    predicted_ms: float
    validation_accuracy: float
    test_accuracy: float
    params: int
    run: str


def sweep_rows(reports: Mapping[Path, RunReport]) -> tuple[SweepRow, ...]:
    """Choose a network for every budget that a run was made for, smallest budget first.

    The choice is by validation accuracy among the networks measured within the budget; a budget that none keeps shows
    its own run, which failed.

    Args:
        reports: Of the runs, by their folders.
    """
    rows = []
    for own in sorted(reports, key=lambda path: reports[path].budget_ms):
        budget_ms = reports[own].budget_ms
        within = [path for path, report in reports.items() if report.measured_ms.high <= budget_ms]
        chosen = max(within, key=lambda path: (reports[path].validation_accuracy, path == own), default=own)
        report = reports[chosen]
        rows.append(
            SweepRow(
                budget_ms=budget_ms,
                verdict="PASS" if within else "FAIL",
                measured_ms=report.measured_ms.median,
                predicted_ms=report.predicted_ms,
                validation_accuracy=report.validation_accuracy,
                test_accuracy=report.test_accuracy,
                params=report.params,
                run=str(chosen),
            )
        )
    return tuple(rows)


def sweep_lines(rows: Sequence[SweepRow]) -> list[str]:
    """The table as text."""
    lines = ["budget ms       measured  predicted  validation    test      params  run"]
    return lines + [
        f"{row.budget_ms:9.4g} {row.verdict}  {row.measured_ms:8.4g}  {row.predicted_ms:9.4g}  "
        f"{row.validation_accuracy:10.1%}  {row.test_accuracy:6.1%}  {row.params:10,}  {row.run}"
        for row in rows
    ]


def save_sweep(path: Path, rows: Sequence[SweepRow], failed: Mapping[str, str]) -> None:
    """Write the table as JSON.

    Args:
        path: Where.
        rows: The table.
        failed: Budgets without a network, in ms as they were given, and why.
    """
    write_json(path, {"schema": 1, "rows": [asdict(row) for row in rows], "failed": dict(failed)})
