"""The last screen of a run: verdict, Pareto table, device, files, next commands. Readable without colour."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from nas.results.report import ParetoRow, RunReport

PARETO_ROWS = 10


def show(report: RunReport, console: Console) -> None:
    """Print the last screen."""
    style = "bold green" if report.verdict == "PASS" else "bold red"
    console.print(verdict_line(report), style=style, markup=False, highlight=False, soft_wrap=True)
    console.print("\n".join(screen(report)[1:]), markup=False, highlight=False, soft_wrap=True)


def screen(report: RunReport) -> list[str]:
    """Lines of the last screen, in the order of their importance."""
    return [
        verdict_line(report),
        f"Accuracy on validation: predicted {report.search.prediction}, trained {report.validation_accuracy:.1%}",
        "",
        *((*pareto_table(report.pareto), "") if report.pareto else ()),
        *device_lines(report),
        "",
        *_two_columns("Files", list(report.files.items())),
        *(["", "Notes", *(f"  {line}" for line in report.notes)] if report.notes else []),
        *(["", "Next", *(f"  {command}" for command in report.next)] if report.next else []),
    ]


def verdict_line(report: RunReport) -> str:
    """PASS or FAIL and the figures that say so, on one line."""
    measured, data = report.measured_ms, report.data
    relation = "<=" if report.verdict == "PASS" else ">"
    return (
        f"{report.verdict}  measured {measured.median:.3f} ms [{measured.low:.3f}, {measured.high:.3f}] "
        f"p90 {measured.p90:.3f} {relation} budget {report.budget_ms:.3f}; "
        f"predicted {report.predicted_ms:.3f} ({report.prediction_error_pct:+.1f}%); "
        f"test {report.test_accuracy:.1%} top-1 on {data.test_images:,} images of {data.name}"
    )


def pareto_table(rows: Sequence[ParetoRow]) -> list[str]:
    """The front as a table of at most ten rows; `>` marks the winner.

    Latency is predicted, accuracy that of inherited weights on the validation split.
    """
    lines = ["Pareto front: predicted latency, validation accuracy with inherited weights"]
    lines.append(f"  {'ms':>8}  {'accuracy':>8}  {'params':>10}  {'MMACs':>8}")
    for row in thin(rows, PARETO_ROWS):
        mark, note = ">" if row.winner else " ", f"  {row.note}" if row.note else ""
        lines.append(
            f"{mark} {row.latency_ms:8.3f}  {row.accuracy:8.1%}  {row.params:10,}  {row.macs / 1e6:8.2f}{note}"
        )
    return lines


def thin(rows: Sequence[ParetoRow], limit: int) -> list[ParetoRow]:
    """At most `limit` rows, evenly spread: the ends and the winner stay."""
    if len(rows) <= limit:
        return list(rows)
    kept = {round(i * (len(rows) - 1) / (limit - 1)) for i in range(limit)}
    winners = {i for i, row in enumerate(rows) if row.winner}
    for winner in winners - kept:
        inner = sorted(kept - winners - {0, len(rows) - 1}, key=lambda i: abs(i - winner))
        kept = kept - set(inner[:1]) | {winner}
    return [rows[i] for i in sorted(kept)]


def device_lines(report: RunReport) -> list[str]:
    """Where the measurement was made, and whether that is what the target's name says."""
    host, target = report.host, report.target
    threads = "1 thread" if host.threads == 1 else f"{host.threads} threads"
    how = f"{threads}, batch {host.batch}, {host.precision}"
    lines = [f"Device  {host.cpu} ({host.isa}), {host.runtime} {host.runtime_version}, {how}"]
    if host.batch > 1:
        lines.append(f"        {report.images_per_s:,.0f} images/s; latencies are those of a batch")
    if not host.matches(target):
        lines.append(f"        note: target {target.name} promises {target.vendor}, this host is {host.vendor}")
    return lines


def _two_columns(title: str, rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [title, *(f"  {name:<{width}}  {value}" for name, value in rows)]
