"""What a latency table says of itself: lines for the terminal, and a page with the pictures of its proofs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nas.latency.proof import Part
from nas.latency.table import Calibration, LatencyTable
from nas.results.markup import section, table, tiles, whole_page
from nas.results.proof_svg import proof_svg


def table_lines(found: LatencyTable, space: str, path: str) -> list[str]:
    """What `nas.measure` prints of a table for one space, told by its identifier in the table."""
    calibration = found.calibrations.get(space)
    return [
        f"{path}: {len(found.rows)} rows of {found.host.cpu}, {found.host.runtime} {found.host.runtime_version}",
        *(f"  {name}: {value}" for name, value in _provenance(found)),
        *(_proof_lines(calibration) if calibration else ()),
    ]


def table_page(found: LatencyTable, path: str) -> str:
    """A table on one page, all the spaces it is calibrated for included."""
    host = found.host
    origin = (("host", f"{host.cpu} ({host.isa}), {host.runtime} {host.runtime_version}"), *_provenance(found))
    title = f"Latency table of {found.target.name}"
    head = (
        f"<header><h1>{escape(title)}</h1>{table(('', ''), [('file', path), ('hash', found.hash), *origin])}</header>"
    )
    spaces = [_space(name, calibration, i) for i, (name, calibration) in enumerate(found.calibrations.items())]
    refused = section("What the runtime refuses", table(("kernel", "why"), list(found.refused.items())))
    return whole_page(title, [head, *spaces, refused if found.refused else "", section("Rows", _rows(found))])


def _provenance(found: LatencyTable) -> list[tuple[str, str]]:
    host, noise = found.host, found.noise
    how = f"{_count(host.threads, 'thread')}, batch {host.batch}, {host.precision}"
    machine = (
        f"{noise.verdict}: networks' split halves {noise.split_half_pct:.2f} % apart, 90th percentile "
        f"{noise.spread_pct:.1f} % over the median, {noise.steal_pct:.1f} % of the time stolen"
    )
    lines = [
        ("measured", f"{found.measured_on} in {found.seconds:.0f} s, {how}"),
        ("limits", f"{_count(host.cpus, 'CPU')}, time of {host.cpu_quota:g}, clock governor {host.governor}"),
        ("machine", machine),
    ]
    if found.grain:
        cost = (
            f"other widths cost up to x{found.grain.cost:.2f}" if found.grain.cost > 1 else "other widths cost nothing"
        )
        lines.append(("channels", f"multiples of {found.grain.channels} run without waste; {cost}"))
    if found.refused:
        key, reason = next(iter(found.refused.items()))
        lines.append(("refused", f"{_count(len(found.refused), 'kernel')}, '{key}' among them: {reason}"))
    return lines


def _proof_lines(calibration: Calibration) -> list[str]:
    proof = calibration.proof
    return [
        f"predicted against measured on {proof.networks} held-out networks:",
        *(f"  {name} {value}" for name, value in _figures(calibration)),
        *_parts_lines("stage", proof.by_stage),
        *_parts_lines("op", proof.by_kind),
    ]


def _figures(calibration: Calibration) -> list[tuple[str, str]]:
    proof, anchors = calibration.proof, _count(calibration.anchors, "anchor network")
    equal = "none are" if proof.kendall_equal_flops is None else f"{proof.kendall_equal_flops:.2f}"
    ranks = f"{proof.kendall:.3f} (within 3 % of the same FLOPs {equal}), Spearman {proof.spearman:.3f}"
    level = f"x{calibration.scale:.4f}, {anchors} on {calibration.anchored_on}"
    return [
        ("error mean", f"{proof.mape_pct:.2f} %, largest {proof.max_pct:.1f} %"),
        ("within 2 / 5 / 10 %", f"{proof.within_2_pct:.0f} / {proof.within_5_pct:.0f} / {proof.within_10_pct:.0f} %"),
        ("Kendall", ranks),
        ("the measurements' own split-half noise", f"{proof.noise_pct:.2f} %"),
        ("level", f"{level}; error without it {calibration.uncalibrated_mape_pct:.2f} %"),
    ]


def _parts_lines(name: str, parts: Sequence[Part]) -> list[str]:
    if not parts:
        return []
    width = max(len(name), *(len(part.name) for part in parts))
    rows = [
        f"  {part.name:<{width}}  {part.share_pct:5.1f} %  {part.error_pct:+6.2f} ± {part.sd_pct:.2f} %"
        for part in parts
    ]
    return [f"  {name:<{width}}     time  error", *rows]


def _space(name: str, calibration: Calibration, place: int) -> str:
    proof = calibration.proof
    badge = f'<span class="verdict {"PASS" if proof.good else "FAIL"}">{"good" if proof.good else "poor"}</span>'
    figures = tiles(
        [
            ("Mean error", f"{proof.mape_pct:.2f} %", f"largest {proof.max_pct:.1f} %"),
            ("Within 5 %", f"{proof.within_5_pct:.0f} %", f"of {proof.networks} networks not fitted to"),
            ("Kendall", f"{proof.kendall:.3f}", f"Spearman {proof.spearman:.3f}"),
            ("Noise", f"{proof.noise_pct:.2f} %", "of the measurements themselves"),
        ]
    )
    listing = table(("", ""), _figures(calibration))
    warning = "" if proof.good else "<p>Searches against this table warn; measure it again on a quiet machine.</p>"
    picture = proof_svg(proof, name=f"proof{place}")
    return section(f"Predicted against measured: {name}", f"{figures}<p>{badge}</p>{picture}{listing}{warning}")


def _rows(found: LatencyTable) -> str:
    heads = ("kernel", "µs", "networks seen in", "profiled, µs", "runs", "quartiles apart, µs", "two ways differ by")
    rows = [
        (
            key,
            f"{row.us:.2f}",
            str(row.networks),
            f"{row.stats.median_us:.2f}",
            str(row.stats.runs),
            f"{row.stats.iqr_us:.2f}",
            f"{row.disagreement:.1%}",
        )
        for key, row in sorted(found.rows.items(), key=lambda item: -item[1].us)
    ]
    return table(heads, rows)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
