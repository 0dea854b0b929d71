"""`report.html`: one file with everything in it, no script and no request; light or dark as the reader prefers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nas.results.report import RunReport
from nas.results.svg import bars_svg, pareto_svg
from nas.results.terminal import PARETO_ROWS, device_lines, thin

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2430; --dim: #667085; --line: #e4e7ec; --paper: #ffffff; --page: #f5f6f8;
  --pass: #15803d; --fail: #dc2626; --mark: #eef6f0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ee; --dim: #9aa3b5; --line: #2d3342; --paper: #171b24;
  --page: #0f1218; --pass: #4ade80; --fail: #f87171; --mark: #1c2b22; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 28px 16px 64px; }
h1 { font-size: 20px; margin: 0 0 16px; } h2 { font-size: 16px; margin: 0 0 12px; }
section, header { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 20px 24px;
  margin-bottom: 16px; overflow-x: auto; }
.verdict { font-weight: 700; padding: 2px 12px; border-radius: 999px; border: 2px solid; margin-right: 10px; }
.PASS { color: var(--pass); } .FAIL { color: var(--fail); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 16px; margin: 0; }
dt, .dim, th { color: var(--dim); font-size: 13px; font-weight: 400; }
dd { margin: 0; font-size: 22px; font-weight: 600; } dd small { display: block; font-size: 13px; font-weight: 400;
  color: var(--dim); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); }
.number { text-align: right; } tr.winner { background: var(--mark); font-weight: 600; }
svg { display: block; width: 100%; height: auto; margin-bottom: 12px; } p { margin: 8px 0 0; }
code, pre { font: 13px ui-monospace, monospace; } pre { margin: 0; white-space: pre-wrap; }
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def page(report: RunReport) -> str:
    """Return the whole page."""
    sections = [
        _header(report),
        _section("Accuracy against latency", pareto_svg(report) + _pareto(report)),
        _section("Predicted against measured", _oracles(report)),
        _section("Where the time goes", _layers(report)),
        _section("Trimming", _trim(report)),
        _section("Device and latency table", _device(report)),
        _section("Run", _run(report)),
        _section("Files", _table(("name", "path"), [(name, path) for name, path in report.files.items()])),
        _lines("Notes", report.notes),
        _lines("Next", report.next),
    ]
    title = escape(f"{report.verdict}: {report.name} on {report.target.name}")
    return _PAGE.format(title=title, style=_STYLE, body="\n".join(filter(None, sections)))


def _header(report: RunReport) -> str:
    measured, data = report.measured_ms, report.data
    tiles = (
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
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in tiles
    )
    badge = f'<span class="verdict {report.verdict}">{report.verdict}</span>'
    return f"<header><h1>{badge}{escape(report.name)} on {escape(report.target.name)}</h1><dl>{items}</dl></header>"


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
    return _table(heads, cells, numbers=4, marked={i for i, row in enumerate(rows) if row.winner})


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
            f"{inherited:.1%} (supernet, before trimming)",
            f"{trained:.1%} (trained)",
            f"{100 * (inherited - trained):+.1f} points",
        ),
    ]
    return _table(("", "predicted", "measured", "difference"), rows)


def _layers(report: RunReport) -> str:
    total = sum(layer.ms for layer in report.layers)
    return f'{bars_svg(report.layers)}<p class="dim">{total:.3f} ms in all, as the table predicts it.</p>'


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
    return _table(heads, rows)


def _device(report: RunReport) -> str:
    table = report.table
    rows = [("table", f"{table.path} ({table.rows:,} rows, hash {table.hash})")]
    if table.mean_error_pct is not None and table.max_error_pct is not None:
        proof = f"mean {table.mean_error_pct:.1f}%, worst {table.max_error_pct:.1f}%"
        rows.append(("error on held-out networks", f"{proof}, {table.heldout_networks} networks"))
    if table.noise_pct is not None:
        rows.append(("noise of their measurements", f"{table.noise_pct:.1f}%"))
    rows += [("note", note) for note in table.notes]
    lines = "".join(f"<p>{escape(line.strip())}</p>" for line in device_lines(report))
    return lines + _table(("", ""), rows)


def _run(report: RunReport) -> str:
    space, data = report.space, report.data
    splits = f"{data.train_images:,} / {data.validation_images:,} / {data.test_images:,}"
    rows = [
        ("space", f"{space.name}, predicted {space.fastest_ms:.3f} to {space.slowest_ms:.3f} ms"),
        ("data", f"{data.name}, {len(data.classes)} classes, {splits} images to train / validate / test"),
        ("search", f"{report.search.trials:,} distinct networks, seed {report.seed}"),
        *((f"time: {stage}", f"{seconds:,.1f} s") for stage, seconds in report.seconds.items()),
        ("time in all", f"{sum(report.seconds.values()):,.1f} s"),
    ]
    return _table(("", ""), rows)


def _lines(title: str, lines: Sequence[str]) -> str:
    return _section(title, f"<pre>{escape(chr(10).join(lines))}</pre>") if lines else ""


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: int = 0,
    marked: frozenset[int] | set[int] = frozenset(),
) -> str:
    """A table whose first `numbers` columns are right-aligned and whose `marked` rows stand out."""

    def cell(tag: str, column: int, text: str) -> str:
        kind = ' class="number"' if column < numbers else ""
        return f"<{tag}{kind}>{escape(text)}</{tag}>"

    head = "".join(cell("th", i, text) for i, text in enumerate(heads)) if any(heads) else ""
    body = "".join(
        f"<tr{' class=winner' if i in marked else ''}>{''.join(cell('td', j, text) for j, text in enumerate(row))}</tr>"
        for i, row in enumerate(rows)
    )
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
