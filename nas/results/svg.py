"""Plots as SVG text: pure functions of values. Colours follow the reader's light or dark preference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from nas.results.report import LayerLatency, RunReport

WIDTH, HEIGHT = 860, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 44, 48
_BAR_LABEL, _BAR_VALUE, _BAR_STEP = 300, 74, 22

STYLE = """
.plot { --ink: #1f2430; --dim: #667085; --grid: #e4e7ec; --dot: #98a2b3; --front: #2563eb; --bad: #dc2626;
  --win: #15803d; --paper: #ffffff; background: var(--paper); font: 12px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) {
  .plot { --ink: #e6e8ee; --dim: #9aa3b5; --grid: #2d3342; --dot: #6b7488; --front: #60a5fa; --bad: #f87171;
    --win: #4ade80; --paper: #171b24; } }
.plot text { fill: var(--dim); } .plot .strong { fill: var(--ink); font-weight: 600; }
.plot .grid { stroke: var(--grid); } .plot .dot { fill: var(--dot); fill-opacity: .55; }
.plot .front { stroke: var(--front); fill: none; stroke-width: 2; } .plot .node { fill: var(--front); }
.plot .budget { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 6 4; } .plot .budget-text { fill: var(--bad); }
.plot .link { stroke: var(--win); stroke-width: 1.5; }
.plot .win { fill: var(--win); stroke: var(--paper); stroke-width: 1.5; }
.plot .hollow { fill: var(--paper); stroke: var(--win); stroke-width: 2; } .plot .bar { fill: var(--front); }
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Axes:
    """A linear map from values to pixels."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        return _LEFT + (value - self.x_low) / (self.x_high - self.x_low) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - (value - self.y_low) / (self.y_high - self.y_low) * (HEIGHT - _TOP - _BOTTOM)


def ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Round values in [low, high], about `count` of them.

    >>> ticks(0.31, 0.92)
    [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    """
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= 0.75 * raw)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def pareto_svg(report: RunReport) -> str:
    """Accuracy against latency: evaluated networks, the front, the budget, the winner predicted and measured."""
    axes = _axes(report)
    summary = (
        f"{len(report.evaluated)} evaluated networks, {len(report.pareto)} on the front, "
        f"budget {report.budget_ms:.3f} ms; the winner is predicted at {report.predicted_ms:.3f} ms and "
        f"measured at {report.measured_ms.median:.3f} ms with {report.validation_accuracy:.1%} validation accuracy."
    )
    body = [*_grid(axes), *_networks(report, axes), *_budget(report, axes), *_winner(report, axes), *_legend()]
    return _document("pareto", "Accuracy against latency", summary, body, height=HEIGHT)


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
            f'<tspan class="strong">{escape(_clip(layer.layer, 22))}</tspan> {escape(_clip(layer.kernel, 24))}</text>'
            f'<rect class="bar" x="{_BAR_LABEL}" y="{y}" width="{max(length, 0.5):.1f}" height="14" rx="2"/>'
            f'<text x="{_BAR_LABEL + length + 8:.1f}" y="{y + 11}">{layer.ms * 1e3:.1f} µs, {share:.1%}</text></g>'
        )
    summary = f"{len(layers)} kernels, {total:.3f} ms together."
    height = len(layers) * _BAR_STEP + 12
    return _document("layers", "Latency of the winner, kernel by kernel", summary, body, height=height)


def _document(name: str, title: str, summary: str, body: Sequence[str], *, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(summary)}</desc><style>{STYLE}</style>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _axes(report: RunReport) -> _Axes:
    seen = [(point.latency_ms, point.accuracy) for point in report.evaluated]
    seen += [(row.latency_ms, row.accuracy) for row in report.pareto]
    latencies = [latency_ms for latency_ms, _ in seen]
    latencies += [report.budget_ms, report.predicted_ms, report.measured_ms.low, report.measured_ms.high]
    accuracies = [accuracy for _, accuracy in seen] + [report.validation_accuracy]
    x_low, x_high = _padded(min(latencies), max(latencies))
    y_low, y_high = _padded(min(accuracies), max(accuracies))
    return _Axes(x_low=max(x_low, 0.0), x_high=x_high, y_low=max(y_low, 0.0), y_high=min(y_high, 1.0))


def _padded(low: float, high: float) -> tuple[float, float]:
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return low - margin, high + margin


def _grid(axes: _Axes) -> list[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    lines = []
    for value in ticks(axes.x_low, axes.x_high, 8):
        x = f"{axes.x(value):.1f}"
        lines.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{bottom}"/>')
        lines.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>')
    for value in ticks(axes.y_low, axes.y_high):
        y = axes.y(value)
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{100 * value:g}%</text>')
    lines.append(f'<text x="{(_LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">latency, ms</text>')
    middle = (_TOP + bottom) / 2
    turned = f'x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})"'
    lines.append(f"<text {turned}>validation accuracy</text>")
    return lines


def _networks(report: RunReport, axes: _Axes) -> list[str]:
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


def _budget(report: RunReport, axes: _Axes) -> list[str]:
    x = axes.x(report.budget_ms)
    side, anchor = (-6, "end") if x > WIDTH / 2 else (6, "start")
    label = f"budget {report.budget_ms:.3f} ms"
    place = f'x="{x + side:.1f}" y="{HEIGHT - _BOTTOM - 8}" text-anchor="{anchor}"'
    return [
        f'<line class="budget" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>',
        f'<text class="budget-text" {place}>{label}</text>',
    ]


def _winner(report: RunReport, axes: _Axes) -> list[str]:
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


def _legend() -> list[str]:
    marks: tuple[tuple[int, str, Callable[[float], str]], ...] = (
        (0, "evaluated, inherited weights", lambda x: f'<circle class="dot" cx="{x}" cy="20" r="4"/>'),
        (212, "Pareto front", lambda x: f'<circle class="node" cx="{x}" cy="20" r="4"/>'),
        (334, "winner trained, predicted", lambda x: f'<circle class="hollow" cx="{x}" cy="20" r="5"/>'),
        (532, "winner trained, measured", lambda x: f'<path class="win" d="{_star(x, 20, 8)}"/>'),
    )
    return [f'{mark(_LEFT + 8 + at)}<text x="{_LEFT + 22 + at}" y="24">{label}</text>' for at, label, mark in marks]


def _star(x: float, y: float, radius: float) -> str:
    points = []
    for i in range(10):
        length, angle = radius * (1.0 if i % 2 == 0 else 0.45), math.pi * (i / 5 - 0.5)
        points.append(f"{x + length * math.cos(angle):.1f} {y + length * math.sin(angle):.1f}")
    return f"M {' L '.join(points)} Z"


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
