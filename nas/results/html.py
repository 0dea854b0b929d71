"""`report.html`: a run on one page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nas.results.markup import section, table, tiles, whole_page
from nas.results.report import RunReport
from nas.results.svg import bars_svg, pareto_svg
from nas.results.terminal import PARETO_ROWS, device_lines, thin
from nas.results.trim_svg import trim_svg


def page(report: RunReport) -> str:
    """Return the whole page."""
    sections = [
        _header(report),
        section("Accuracy against latency", pareto_svg(report) + _pareto(report)),
        section("Predicted against measured", _oracles(report)),
        section("Where the time goes", _layers(report)),
        section("Hand-designed networks on this target", _references(report)) if report.references else "",
        section("Trimming", _trim(report)),
        section("Device and latency table", _device(report)),
        section("Run", _run(report)),
        section("Files", table(("name", "path"), [(name, path) for name, path in report.files.items()])),
        _lines("Notes", report.notes),
        _lines("Next", report.next),
    ]
    return whole_page(f"{report.verdict}: {report.name} on {report.target.name}", sections)


def _header(report: RunReport) -> str:
    measured, data = report.measured_ms, report.data
    figures = (
        (
            "Measured latency",
            f"{measured.median:.3f} ms",
            f"[{measured.low:.3f}, {measured.high:.3f}], p90 {measured.p90:.3f}, {measured.runs:,} runs",
        ),
        ("Budget", f"{report.budget_ms:.3f} ms", report.budget_origin),
        ("Predicted latency", f"{report.predicted_ms:.3f} ms", f"{report.prediction_error_pct:+.1f}% of measured"),
        ("Test accuracy", f"{report.test_accuracy:.1%}", f"top-1, {data.test_images:,} images of {data.name}"),
        ("Parameters", f"{report.params:,}", f"{report.macs / 1e6:.2f} million MACs"),
    )
    badge = f'<span class="verdict {report.verdict}">{report.verdict}</span>'
    return f"<header><h1>{badge}{escape(report.name)} on {escape(report.target.name)}</h1>{tiles(figures)}</header>"


def _pareto(report: RunReport) -> str:
    rows = thin(report.pareto, PARETO_ROWS)
    cells = [
        (
            f"{row.latency_ms:.3f}",
            f"{row.accuracy:.1%}",
            f"{row.params:,}",
            f"{row.macs / 1e6:.2f}",
            _note(row.winner, row.note),
        )
        for row in rows
    ]
    heads = ("predicted, ms", "accuracy, inherited", "parameters", "million MACs", "")
    return table(heads, cells, numbers=4, marked={i for i, row in enumerate(rows) if row.winner})


def _note(winner: bool, note: str) -> str:
    return ", ".join(filter(None, ("winner" if winner else "", note)))


def _oracles(report: RunReport) -> str:
    inherited, trained = report.search.inherited_accuracy, report.validation_accuracy
    rows = [
        (
            "Latency, ms",
            f"{report.predicted_ms:.3f} (table)",
            f"{report.measured_ms.median:.3f} (exported file)",
            f"{report.prediction_error_pct:+.1f}%",
        ),
        (
            "Validation accuracy",
            report.search.prediction,
            f"{trained:.1%} (trimmed and trained)",
            "" if inherited is None else f"{100 * (inherited - trained):+.1f} points",
        ),
    ]
    return table(("", "predicted", "measured", "difference"), rows)


def _layers(report: RunReport) -> str:
    total = sum(layer.ms for layer in report.layers)
    return f'{bars_svg(report.layers)}<p class="dim">{total:.3f} ms in all, as the table predicts it.</p>'


def _references(report: RunReport) -> str:
    rows = [
        (
            row.name,
            f"{'about ' if row.guessed_pct else ''}{row.latency_ms:.3f}",
            f"{row.params:,}",
            f"{row.macs / 1e6:.2f}",
            "yes" if row.fits else "no",
        )
        for row in report.references
    ]
    told = (
        f"Made for the images and classes of {report.data.name} and priced by this run's table; not trained, and what "
        f"their papers report is of other data. About: a kernel of it is unlike any that the table was measured on."
    )
    heads = ("network", "predicted, ms", "parameters", "million MACs", "within the budget")
    return table(heads, rows) + f'<p class="dim">{escape(told)}</p>'


def _trim(report: RunReport) -> str:
    if not report.trim:
        return '<p class="dim">No width was changed.</p>'
    rows = [
        (
            str(i + 1),
            move.width,
            f"{move.channels_before} → {move.channels_after}",
            f"{move.latency_ms:.3f}",
            f"{-1e3 * move.saved_ms:+.1f}",
            f"{move.accuracy_after:.1%}",
            f"{100 * (move.accuracy_after - move.accuracy_before):+.1f}",
        )
        for i, move in enumerate(report.trim)
    ]
    heads = ("move", "width", "channels", "predicted, ms", "change, µs", "validation accuracy", "change, points")
    dropped = f"Proposals dropped because their score or loss was no number: {report.dropped_proposals}."
    return trim_svg(report.trim, budget_ms=report.budget_ms) + table(heads, rows) + f'<p class="dim">{dropped}</p>'


def _device(report: RunReport) -> str:
    found = report.table
    rows = [("table", f"{found.path} ({found.rows:,} rows, hash {found.hash})")]
    if found.mean_error_pct is not None and found.max_error_pct is not None:
        proof = f"mean {found.mean_error_pct:.1f}%, worst {found.max_error_pct:.1f}%"
        rows.append(("error on held-out networks", f"{proof}, {found.heldout_networks} networks"))
    if found.noise_pct is not None:
        rows.append(("noise of their measurements", f"{found.noise_pct:.1f}%"))
    rows += [("note", note) for note in found.notes]
    lines = "".join(f"<p>{escape(line.strip())}</p>" for line in device_lines(report))
    return lines + table(("", ""), rows)


def _run(report: RunReport) -> str:
    space, data = report.space, report.data
    size = f"{data.size_px} px, {data.channels} channels, " if data.size_px else ""
    splits = f"{data.train_images:,} / {data.validation_images:,} / {data.test_images:,}"
    rows = [
        ("space", f"{space.name}, predicted {space.fastest_ms:.3f} to {space.slowest_ms:.3f} ms"),
        ("data", f"{data.name}, {len(data.classes)} classes, {size}{splits} images to train / validate / test"),
        ("search", f"{report.search.trials:,} distinct networks, seed {report.seed}"),
        *((f"time: {stage}", f"{seconds:,.1f} s") for stage, seconds in report.seconds.items()),
        ("time in all", f"{sum(report.seconds.values()):,.1f} s"),
    ]
    return table(("", ""), rows)


def _lines(title: str, lines: Sequence[str]) -> str:
    return section(title, f"<pre>{escape(chr(10).join(lines))}</pre>") if lines else ""
