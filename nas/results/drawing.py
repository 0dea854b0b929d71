"""What the pictures share: axes, grids, the SVG document. Colours follow the reader's light or dark preference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 860, 420

_STYLE = """
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
.plot .band { fill: var(--front); fill-opacity: .1; } .plot .same { stroke: var(--dot); }
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Axes:
    """A linear map from values to the pixels of a frame."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    left: int = 64
    right: int = WIDTH - 20
    top: int = 44
    bottom: int = HEIGHT - 48

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return self.left + (value - self.x_low) / (self.x_high - self.x_low) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        return self.bottom - (value - self.y_low) / (self.y_high - self.y_low) * (self.bottom - self.top)


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


def padded(low: float, high: float) -> tuple[float, float]:
    """The range of an axis that shows [low, high] with room around it."""
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return low - margin, high + margin


def grid(axes: Axes, x_label: str, y_label: str, *, y_text: Callable[[float], str] = "{:g}".format) -> list[str]:
    """Lines and numbers of both axes, and what they measure."""
    lines = []
    for value in ticks(axes.x_low, axes.x_high, (axes.right - axes.left) // 90):
        x = f"{axes.x(value):.1f}"
        lines.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{axes.top}" y2="{axes.bottom}"/>')
        lines.append(f'<text x="{x}" y="{axes.bottom + 18}" text-anchor="middle">{value:g}</text>')
    for value in ticks(axes.y_low, axes.y_high):
        y = axes.y(value)
        lines.append(f'<line class="grid" x1="{axes.left}" x2="{axes.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{axes.left - 8}" y="{y + 4:.1f}" text-anchor="end">{y_text(value)}</text>')
    across, middle = (axes.left + axes.right) / 2, (axes.top + axes.bottom) / 2
    lines.append(f'<text x="{across}" y="{axes.bottom + 40}" text-anchor="middle">{x_label}</text>')
    turned = f'x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})"'
    lines.append(f"<text {turned}>{y_label}</text>")
    return lines


def clip(text: str, length: int) -> str:
    """The text, cut where it is longer than `length` characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def document(name: str, title: str, summary: str, body: Sequence[str], *, height: int = HEIGHT) -> str:
    """The SVG; `name` keeps its identifiers apart from other pictures' on the same page."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(summary)}</desc><style>{_STYLE}</style>\n' + "\n".join(body) + "\n</svg>\n"
    )
