"""The picture of a table's proof: predicted against measured, and the error by stage and by kind of op."""

from __future__ import annotations

from html import escape

from nas.latency.proof import Part, Proof
from nas.results.drawing import HEIGHT, WIDTH, Axes, clip, document, grid, padded

WITHIN_PCT = 5.0  # half width of the band around the diagonal
LEAST_SPAN_PCT = 2.0  # of the error axis

_SPLIT = 410  # pixels from the left where the scatter ends
_LABEL, _SHARE, _ZERO, _REACH = 534, 578, 706, 112  # right edges of the texts, the error axis and its half width
_TOP, _STEP = 44, 20


def proof_svg(proof: Proof, *, name: str = "proof") -> str:
    """Draw a proof; `name` keeps several on one page apart."""
    parts = len(proof.by_stage) + len(proof.by_kind) + 4
    height = max(HEIGHT, _TOP + parts * _STEP)
    summary = (
        f"{proof.networks} held-out networks: mean error {proof.mape_pct:.2f} %, largest {proof.max_pct:.1f} %, "
        f"{proof.within_5_pct:.0f} % within 5 %, Kendall {proof.kendall:.3f}."
    )
    body = [*_scatter(proof), *_errors(proof)]
    return document(name, "Predicted against measured latency", summary, body, height=height)


def _scatter(proof: Proof) -> list[str]:
    up, down = 1 + WITHIN_PCT / 100, 1 - WITHIN_PCT / 100
    times_ms = proof.predicted_ms + proof.measured_ms
    low, high = padded(down * min(times_ms), up * max(times_ms))
    low = max(low, 0.0)
    axes = Axes(x_low=low, x_high=high, y_low=low, y_high=high, right=_SPLIT)
    corners = ((low, low), (low, up * low), (high / up, high), (high, high), (high, down * high), (low / down, low))
    band = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in corners)
    dots = [
        f'<circle class="node" cx="{axes.x(measured):.1f}" cy="{axes.y(predicted):.1f}" r="3.5"><title>'
        f"measured {measured:.4g} ms, predicted {predicted:.4g} ms ({100 * (predicted / measured - 1):+.1f} %)"
        "</title></circle>"
        for predicted, measured in zip(proof.predicted_ms, proof.measured_ms, strict=True)
    ]
    return [
        f'<polygon class="band" points="{band}"/>',
        *grid(axes, "measured, ms", "predicted, ms"),
        f'<line class="same" x1="{axes.left}" y1="{axes.bottom}" x2="{axes.right}" y2="{axes.top}"/>',
        *dots,
        f'<text x="{axes.left + 8}" y="24">{proof.networks} held-out networks; the band is ±{WITHIN_PCT:g} %</text>',
    ]


def _errors(proof: Proof) -> list[str]:
    """Two lists of parts, each with its share and its error on one common axis."""
    parts = (*proof.by_stage, *proof.by_kind)
    if not parts:
        return []
    span = max(LEAST_SPAN_PCT, *(abs(part.error_pct) + part.sd_pct for part in parts))
    head = f"±{span:.1f} % across"
    lines = [f'<text x="{WIDTH - 20}" y="24" text-anchor="end">error ± its standard deviation, {head}</text>']
    y = _TOP
    for title, group in (("by stage", proof.by_stage), ("by kind of op", proof.by_kind)):
        lines.append(f'<text class="strong" x="{_LABEL}" y="{y + 12}" text-anchor="end">{title}</text>')
        lines.append(f'<text x="{_SHARE}" y="{y + 12}" text-anchor="end">time</text>')
        bottom = y + _STEP * (len(group) + 1)
        lines.append(f'<line class="same" x1="{_ZERO}" x2="{_ZERO}" y1="{y + _STEP}" y2="{bottom}"/>')
        lines += [line for i, part in enumerate(group, start=1) for line in _row(part, y + i * _STEP, span)]
        y = bottom + _STEP
    return lines


def _row(part: Part, y: int, span: float) -> list[str]:
    middle, reach = _ZERO + _REACH * part.error_pct / span, _REACH * part.sd_pct / span
    told = f"{part.name}: {part.error_pct:+.2f} ± {part.sd_pct:.2f} %, {part.share_pct:.1f} % of the time"
    low, high = f"{middle - reach:.1f}", f"{middle + reach:.1f}"
    return [
        f"<g><title>{escape(told)}</title>",
        f'<text x="{_LABEL}" y="{y + 13}" text-anchor="end">{escape(clip(part.name, 18))}</text>',
        f'<text x="{_SHARE}" y="{y + 13}" text-anchor="end">{part.share_pct:.0f} %</text>',
        f'<line class="front" x1="{low}" x2="{high}" y1="{y + 9}" y2="{y + 9}"/>',
        f'<circle class="node" cx="{middle:.1f}" cy="{y + 9}" r="4"/></g>',
    ]
