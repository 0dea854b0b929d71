"""Pictures of a run as SVG text: pure functions of its report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from nas.results.drawing import WIDTH, Axes, clip, document, grid, padded
from nas.results.report import LayerLatency, RunReport

_BAR_LABEL, _BAR_VALUE, _BAR_STEP = 300, 74, 22


def pareto_svg(report: RunReport) -> str:
    """Accuracy against latency: evaluated networks, the front, the budget, the winner predicted and measured."""
    axes = _axes(report)
    summary = (
        f"{len(report.evaluated)} evaluated networks, {len(report.pareto)} on the front, "
        f"budget {report.budget_ms:.3f} ms; the winner is predicted at {report.predicted_ms:.3f} ms and "
        f"measured at {report.measured_ms.median:.3f} ms with {report.validation_accuracy:.1%} validation accuracy."
    )
    frame = grid(axes, "latency, ms", "validation accuracy", y_text=lambda share: f"{100 * share:g}%")
    body = [
        *frame,
        *_networks(report, axes),
        *_references(report, axes),
        *_budget(report, axes),
        *_winner(report, axes),
    ]
    body += _legend(axes.left)
    return document("pareto", "Accuracy against latency", summary, body)


def bars_svg(layers: Sequence[LayerLatency]) -> str:
    """Predicted latency of every kernel of a network as horizontal bars, in execution order."""
    total = sum(layer.ms for layer in layers)
    longest = max((layer.ms for layer in layers), default=0.0) or 1.0
    span = WIDTH - _BAR_LABEL - _BAR_VALUE * 2
    body = []
    for i, layer in enumerate(layers):
        y, length = i * _BAR_STEP + 6, layer.ms / longest * span
        share = layer.ms / total if total else 0.0
        body.append(
            f"<g><title>{escape(f'{layer.layer}: {layer.kernel}')}</title>"
            f'<text x="{_BAR_LABEL - 10}" y="{y + 11}" text-anchor="end">'
            f'<tspan class="strong">{escape(clip(layer.layer, 22))}</tspan> {escape(clip(layer.kernel, 24))}</text>'
            f'<rect class="bar" x="{_BAR_LABEL}" y="{y}" width="{max(length, 0.5):.1f}" height="14" rx="2"/>'
            f'<text x="{_BAR_LABEL + length + 8:.1f}" y="{y + 11}">{layer.ms * 1e3:.1f} µs, {share:.1%}</text></g>'
        )
    summary = f"{len(layers)} kernels, {total:.3f} ms together."
    height = len(layers) * _BAR_STEP + 12
    return document("layers", "Latency of the winner, kernel by kernel", summary, body, height=height)


def _axes(report: RunReport) -> Axes:
    seen = [(point.latency_ms, point.accuracy) for point in report.evaluated]
    seen += [(row.latency_ms, row.accuracy) for row in report.pareto]
    latencies = [latency_ms for latency_ms, _ in seen]
    latencies += [report.budget_ms, report.predicted_ms, report.measured_ms.low, report.measured_ms.high]
    accuracies = [accuracy for _, accuracy in seen] + [report.validation_accuracy]
    x_low, x_high = padded(min(latencies), max(latencies))
    y_low, y_high = padded(min(accuracies), max(accuracies))
    return Axes(x_low=max(x_low, 0.0), x_high=x_high, y_low=max(y_low, 0.0), y_high=min(y_high, 1.0))


def _networks(report: RunReport, axes: Axes) -> list[str]:
    dots = [
        f'<circle class="dot" cx="{axes.x(point.latency_ms):.1f}" cy="{axes.y(point.accuracy):.1f}" r="3"/>'
        for point in report.evaluated
    ]
    nodes = [
        f'<circle class="node" cx="{axes.x(row.latency_ms):.1f}" cy="{axes.y(row.accuracy):.1f}" r="4">'
        f"<title>{escape(f'{row.latency_ms:.3f} ms, {row.accuracy:.1%}, {row.params:,} parameters')}</title></circle>"
        for row in report.pareto
    ]
    rows = report.pareto  # the winner may lie below the front
    front = [row for i, row in enumerate(rows) if all(row.accuracy > faster.accuracy for faster in rows[:i])]
    line = " ".join(f"{axes.x(row.latency_ms):.1f},{axes.y(row.accuracy):.1f}" for row in front)
    return [*dots, f'<polyline class="front" points="{line}"/>', *nodes]


def _references(report: RunReport, axes: Axes) -> list[str]:
    """Hand-designed networks as marks on the axis of latencies: they have no accuracy on this data."""
    return [
        f'<path class="same" d="M {axes.x(row.latency_ms):.1f} {axes.bottom} v -9" stroke-width="2">'
        f"<title>{escape(f'{row.name}, hand-designed: {row.latency_ms:.3f} ms predicted, not trained')}</title></path>"
        for row in report.references
        if axes.x_low <= row.latency_ms <= axes.x_high
    ]


def _budget(report: RunReport, axes: Axes) -> list[str]:
    x = axes.x(report.budget_ms)
    side, anchor = (-6, "end") if x > WIDTH / 2 else (6, "start")
    label = f"budget {report.budget_ms:.3f} ms"
    place = f'x="{x + side:.1f}" y="{axes.bottom - 8}" text-anchor="{anchor}"'
    return [
        f'<line class="budget" x1="{x:.1f}" x2="{x:.1f}" y1="{axes.top}" y2="{axes.bottom}"/>',
        f'<text class="budget-text" {place}>{label}</text>',
    ]


def _winner(report: RunReport, axes: Axes) -> list[str]:
    measured, y = report.measured_ms, round(axes.y(report.validation_accuracy), 1)
    low, high = axes.x(measured.low), axes.x(measured.high)
    predicted = f"winner, predicted {report.predicted_ms:.3f} ms"
    found = f"winner, measured {measured.median:.3f} ms [{measured.low:.3f}, {measured.high:.3f}]"
    hollow = f'<circle class="hollow" cx="{axes.x(report.predicted_ms):.1f}" cy="{y}" r="6">'
    return [
        f'<line class="link" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>',
        f"{hollow}<title>{predicted}</title></circle>",
        f'<path class="win" d="{_star(axes.x(measured.median), y, 10)}"><title>{found}</title></path>',
    ]


def _legend(left: int) -> list[str]:
    marks: tuple[tuple[int, str, Callable[[float], str]], ...] = (
        (0, "evaluated, inherited weights", lambda x: f'<circle class="dot" cx="{x}" cy="20" r="4"/>'),
        (212, "Pareto front", lambda x: f'<circle class="node" cx="{x}" cy="20" r="4"/>'),
        (334, "winner trained, predicted", lambda x: f'<circle class="hollow" cx="{x}" cy="20" r="5"/>'),
        (532, "winner trained, measured", lambda x: f'<path class="win" d="{_star(x, 20, 8)}"/>'),
    )
    return [f'{mark(left + 8 + at)}<text x="{left + 22 + at}" y="24">{label}</text>' for at, label, mark in marks]


def _star(x: float, y: float, radius: float) -> str:
    points = []
    for i in range(10):
        length, angle = radius * (1.0 if i % 2 == 0 else 0.45), math.pi * (i / 5 - 0.5)
        points.append(f"{x + length * math.cos(angle):.1f} {y + length * math.sin(angle):.1f}")
    return f"M {' L '.join(points)} Z"
