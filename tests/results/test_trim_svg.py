"""The moves of a trimming as a picture and as a table."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET

from nas.results import MoveRow, moves_csv, trim_svg

SVG = "{http://www.w3.org/2000/svg}"


def shapes(svg: str, tag: str, kind: str) -> list[ET.Element]:
    return [item for item in ET.fromstring(svg).iter(f"{SVG}{tag}") if item.get("class") == kind]  # noqa: S314


def corners(shape: ET.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in str(shape.get("points")).split())]


def test_every_move_is_a_dot_and_every_width_a_strip(report) -> None:
    again = dataclasses.replace(report.trim[0], channels_before=88, channels_after=48, latency_ms=0.37)
    svg = trim_svg([*report.trim, again], budget_ms=report.budget_ms)
    assert len(shapes(svg, "circle", "node")) == 4
    assert len(shapes(svg, "line", "budget")) == 1
    strips = shapes(svg, "polygon", "bar")
    assert len(strips) == 2
    full, *_, last = [y for _, y in corners(strips[0])[1:-1]]
    bottom = corners(strips[0])[0][1]
    assert (bottom - last) / (bottom - full) == 0.5
    assert "96 → 48" in svg
    assert "84.6%" in svg


def test_fewer_milliseconds_are_further_left(report) -> None:
    across = [float(str(dot.get("cx"))) for dot in shapes(trim_svg(report.trim), "circle", "node")]
    assert across == sorted(across, reverse=True)


def test_one_move_and_odd_names_have_a_picture() -> None:
    move = MoveRow(
        width="<w>&",
        channels_before=2,
        channels_after=1,
        saved_ms=0.0,
        accuracy_before=0.5,
        accuracy_after=0.5,
        latency_ms=0.1,
    )
    assert ET.fromstring(trim_svg([move])).find(f"{SVG}desc").text.startswith("1 moves of 1 widths")  # noqa: S314


def test_the_table_has_a_line_a_move(report) -> None:
    head, *rows = moves_csv(report.trim).splitlines()
    assert head.startswith("move,width,channels_before,channels_after,saved_ms")
    assert [row.split(",")[:4] for row in rows] == [["1", "s2.b0.mid", "96", "88"], ["2", "s1", "32", "24"]]
