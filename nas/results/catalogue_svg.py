"""The picture of the hand-designed networks: reported accuracy against latency measured here, a run's front over it."""

from __future__ import annotations

import math
from html import escape

from nas.results.catalogue import CatalogueReport, NetworkRow
from nas.results.drawing import WIDTH, Axes, document, grid, padded
from nas.results.report import ParetoRow, RunReport

SLOWEST_SHOWN = 8.0  # times the median latency: slower ones would squeeze the rest to the left


def catalogue_svg(report: CatalogueReport, run: RunReport | None = None) -> str:
    """Reported ImageNet accuracy against latency on the target; where a run is given, its front.

    A network is shown where its accuracy was reported at the image size that it was timed at. A run's accuracies are
    those of its own data: they share the axis, and the legend says so.

    Args:
        report: The networks.
        run: A finished run.
    """
    shown, left_out = _shown(report)
    front = run.pareto if run is not None else ()
    if not shown and not front:
        return document("catalogue", "Hand-designed networks", "No network has a reported accuracy at this size.", [])
    axes = _axes(shown, front)
    summary = (
        f"{len(shown)} hand-designed networks: accuracy as reported on ImageNet, latency on {report.target.name}; "
        f"{left_out} are not shown: no accuracy reported at their image size, or far slower."
    )
    frame = grid(axes, "latency, ms", "top-1, reported", y_text=lambda percent: f"{percent:g}%")
    body = [*frame, *_dots(shown, axes), *(_front(front, axes) if run is not None else ()), *_legend(axes, run)]
    return document("catalogue", "Reported accuracy against latency here", summary, body)


def _shown(report: CatalogueReport) -> tuple[list[NetworkRow], int]:
    told = [row for row in report.networks if row.top1_px == row.size_px and math.isfinite(row.ms)]
    middle = sorted(row.ms for row in told)[len(told) // 2] if told else 0.0
    shown = [row for row in told if row.ms <= SLOWEST_SHOWN * middle]
    return shown, len(report.networks) - len(shown)


def _axes(shown: list[NetworkRow], front: tuple[ParetoRow, ...]) -> Axes:
    latencies = [row.ms for row in shown] + [row.latency_ms for row in front]
    accuracies = [row.top1_pct or 0.0 for row in shown] + [100 * row.accuracy for row in front]
    x_low, x_high = padded(min(latencies), max(latencies))
    y_low, y_high = padded(min(accuracies), max(accuracies))
    return Axes(x_low=max(x_low, 0.0), x_high=x_high, y_low=max(y_low, 0.0), y_high=min(y_high, 100.0))


def _dots(shown: list[NetworkRow], axes: Axes) -> list[str]:
    lines = []
    for row in shown:
        x, y = axes.x(row.ms), axes.y(row.top1_pct or 0.0)
        how = "measured" if row.measured_ms else "predicted"
        title = escape(f"{row.name}: {row.ms:.3f} ms {how}, {row.top1_pct:g} % ({row.top1_source})")
        lines.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{title}</title></circle>')
        anchor, side = ("end", -7) if x > WIDTH - 160 else ("start", 7)
        if _best(row, shown):
            place = f'x="{x + side:.1f}" y="{y - 6:.1f}" text-anchor="{anchor}"'
            lines.append(f"<text {place}>{escape(row.name)}</text>")
    return lines


def _best(row: NetworkRow, shown: list[NetworkRow]) -> bool:
    """Whether no faster network is as accurate: those are named in the picture."""
    return not any(other.ms < row.ms and (other.top1_pct or 0) >= (row.top1_pct or 0) for other in shown)


def _front(rows: tuple[ParetoRow, ...], axes: Axes) -> list[str]:
    points = " ".join(f"{axes.x(row.latency_ms):.1f},{axes.y(100 * row.accuracy):.1f}" for row in rows)
    nodes = [
        f'<circle class="node" cx="{axes.x(row.latency_ms):.1f}" cy="{axes.y(100 * row.accuracy):.1f}" r="4">'
        f"<title>{row.latency_ms:.3f} ms, {row.accuracy:.1%}</title></circle>"
        for row in rows
    ]
    return [f'<polyline class="front" points="{points}"/>', *nodes]


def _legend(axes: Axes, run: RunReport | None) -> list[str]:
    left = axes.left
    lines = [
        (
            f'<circle class="dot" cx="{left + 8}" cy="20" r="4"/>'
            f'<text x="{left + 22}" y="24">hand-designed, accuracy as reported on ImageNet, latency here</text>'
        )
    ]
    if run is not None:
        text = f"front of {run.name}: accuracy on {run.data.name}, validation, inherited weights"
        lines.append(
            f'<circle class="node" cx="{left + 408}" cy="20" r="4"/><text x="{left + 422}" y="24">{escape(text)}</text>'
        )
    return lines
