"""The picture of a trimming: accuracy against latency after every move, and the channels of every width over the moves.

Each width that was narrowed has a strip as long as the trimming and as high as its channels, full height before the
first move. A move is a step in one strip and a dot above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nas.results.drawing import WIDTH, Axes, clip, document, grid, padded
from nas.results.report import MoveRow

_CURVE = 300  # pixels from the top where the curve's part ends
_STRIPS = 44  # from there to the first strip
_STEP, _HIGH = 26, 20  # pixels from strip to strip, and their height
_LEFT, _RIGHT = 150, WIDTH - 250
_LABEL, _TOLD = 24, 34  # most letters of a width's name and of what it lost


@dataclass(frozen=True, kw_only=True, slots=True)
class _Strip:
    """One width's channels before the first move and after each move, and what its moves saved and cost."""

    width: str
    channels: tuple[int, ...]
    saved_ms: float
    accuracy: float


def trim_svg(moves: Sequence[MoveRow], *, budget_ms: float | None = None) -> str:
    """Draw the moves of a trimming.

    Args:
        moves: At least one.
        budget_ms: Drawn as a line; None: none is.
    """
    strips = _strips_of(moves)
    first, last = moves[0], moves[-1]
    summary = (
        f"{len(moves)} moves of {len(strips)} widths: {first.latency_ms + first.saved_ms:.4g} to {last.latency_ms:.4g} "
        f"ms predicted, {first.accuracy_before:.1%} to {last.accuracy_after:.1%} validation accuracy."
    )
    height = _CURVE + _STRIPS + _STEP * len(strips) + 30
    return document(
        "trim", "Trimming, move by move", summary, [*_curve(moves, budget_ms), *_draw(strips)], height=height
    )


def _strips_of(moves: Sequence[MoveRow]) -> list[_Strip]:
    """The widths that were narrowed, those that saved most first."""
    found = []
    for width in dict.fromkeys(move.width for move in moves):
        own = [move for move in moves if move.width == width]
        channels = [own[0].channels_before]
        for move in moves:
            channels.append(move.channels_after if move.width == width else channels[-1])
        saved_ms = sum(move.saved_ms for move in own)
        accuracy = sum(move.accuracy_after - move.accuracy_before for move in own)
        found.append(_Strip(width=width, channels=tuple(channels), saved_ms=saved_ms, accuracy=accuracy))
    return sorted(found, key=lambda strip: -strip.saved_ms)


def _curve(moves: Sequence[MoveRow], budget_ms: float | None) -> list[str]:
    first = moves[0]
    points = [(first.latency_ms + first.saved_ms, first.accuracy_before)]
    points += [(move.latency_ms, move.accuracy_after) for move in moves]
    x_low, x_high = padded(*_span([ms for ms, _ in points] + ([budget_ms] if budget_ms is not None else [])))
    y_low, y_high = padded(*_span([accuracy for _, accuracy in points]))
    axes = Axes(x_low=max(x_low, 0.0), x_high=x_high, y_low=y_low, y_high=y_high, bottom=_CURVE - 48)
    places = [f"{axes.x(ms):.1f},{axes.y(accuracy):.1f}" for ms, accuracy in points]
    body = grid(axes, "predicted latency, ms", "validation accuracy", y_text=lambda share: f"{100 * share:.4g}%")
    if budget_ms is not None:
        x = f"{axes.x(budget_ms):.1f}"
        body.append(f'<line class="budget" x1="{x}" x2="{x}" y1="{axes.top}" y2="{axes.bottom}"/>')
    body.append(f'<polyline class="front" points="{" ".join(places)}"/>')
    body.append(_dot(places[0], "before trimming: " + _at(*points[0])))
    body += [
        _dot(place, f"move {i}: {move.width} {move.channels_before} → {move.channels_after}, {_at(*point)}")
        for i, (place, point, move) in enumerate(zip(places[1:], points[1:], moves, strict=True), start=1)
    ]
    body.append(f'<text x="{axes.left + 8}" y="24">from right to left, a dot for each move, before fine-tuning</text>')
    return body


def _span(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _dot(place: str, told: str) -> str:
    x, y = place.split(",")
    return f'<circle class="node" cx="{x}" cy="{y}" r="3.5"><title>{escape(told)}</title></circle>'


def _at(ms: float, accuracy: float) -> str:
    return f"{ms:.4g} ms, {accuracy:.1%}"


def _draw(strips: Sequence[_Strip]) -> list[str]:
    top = _CURVE + _STRIPS
    body = [
        f'<text x="{_LEFT}" y="{top - 14}">channels of each width over the {len(strips[0].channels) - 1} moves</text>'
    ]
    for i, strip in enumerate(strips):
        body += _row(strip, top + i * _STEP)
    return body


def _row(strip: _Strip, y: int) -> list[str]:
    before, after = strip.channels[0], strip.channels[-1]
    length = (_RIGHT - _LEFT) / len(strip.channels)
    bottom, corners = y + _HIGH, [f"{_LEFT},{y + _HIGH}"]
    for i, channels in enumerate(strip.channels):
        high = bottom - _HIGH * channels / before
        corners += [f"{_LEFT + i * length:.1f},{high:.1f}", f"{_LEFT + (i + 1) * length:.1f},{high:.1f}"]
    corners.append(f"{_RIGHT},{bottom}")
    told = f"{before} → {after}, {-1e3 * strip.saved_ms:+.1f} µs, {100 * strip.accuracy:+.1f} points"
    name = escape(clip(strip.width, _LABEL))
    return [
        f"<g><title>{escape(f'{strip.width}: {told}')}</title>",
        f'<text class="strong" x="{_LEFT - 10}" y="{y + 14}" text-anchor="end">{name}</text>',
        f'<rect class="band" x="{_LEFT}" y="{y}" width="{_RIGHT - _LEFT}" height="{_HIGH}"/>',
        f'<polygon class="bar" points="{" ".join(corners)}"/>',
        f'<text x="{_RIGHT + 10}" y="{y + 14}">{escape(clip(told, _TOLD))}</text></g>',
    ]
