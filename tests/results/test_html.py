import dataclasses
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from nas.results import LayerLatency, page, pareto_svg
from nas.results.drawing import ticks
from nas.results.svg import bars_svg

SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta"}


class Balance(HTMLParser):
    """Fails on an element closed in the wrong order."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def shapes(svg, tag, kind):
    return [item for item in ET.fromstring(svg).iter(f"{SVG}{tag}") if item.get("class") == kind]  # noqa: S314


def test_page_is_well_formed_and_asks_for_nothing(report):
    text = page(report)
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    links = re.findall(r"https?://[^\s\"'<]+", text)
    assert set(links) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|<link|<img|@import|url\(", text)


@pytest.mark.parametrize(
    "figure", ["0.371 ms", "0.384 ms", "0.379 ms", "+2.2%", "89.3%", "s2.b0.mid", "96 → 88", "84.6%", "PASS"]
)
def test_page_shows_the_figures(report, figure):
    assert figure in page(report)


def test_users_text_is_escaped_everywhere(report):
    evil = "<b onclick='x'>&\"</b>"
    changed = dataclasses.replace(
        report,
        name=evil,
        notes=(evil,),
        next=(evil,),
        budget_origin=evil,
        files={evil: evil},
        target=dataclasses.replace(report.target, name=evil),
        host=dataclasses.replace(report.host, cpu=evil),
        data=dataclasses.replace(report.data, name=evil),
        space=dataclasses.replace(report.space, name=evil),
        table=dataclasses.replace(report.table, path=evil, notes=(evil,)),
        layers=(LayerLatency(layer=evil, kernel=evil, ms=0.1),),
        trim=tuple(dataclasses.replace(move, width=evil) for move in report.trim),
        pareto=tuple(dataclasses.replace(row, note=evil) for row in report.pareto),
        seconds={evil: 1.0},
    )
    assert "<b" not in page(changed).replace("<body", "")


def test_empty_parts_are_left_out_or_said(report):
    text = page(dataclasses.replace(report, notes=(), next=(), trim=(), layers=(), evaluated=()))
    assert "No width was changed." in text
    assert "<h2>Notes</h2>" not in text


def test_pareto_plot_places_everything_inside(report):
    svg = pareto_svg(report)
    root = ET.fromstring(svg)  # noqa: S314
    assert root.find(f"{SVG}title").text
    assert "60 evaluated networks, 12 on the front" in root.find(f"{SVG}desc").text
    circles = [item for item in root.iter(f"{SVG}circle") if item.get("class") != "dot" or item.get("r") == "3"]
    assert all(0 <= float(item.get("cx")) <= 860 and 0 <= float(item.get("cy")) <= 420 for item in circles)
    assert len(shapes(svg, "circle", "dot")) == len(report.evaluated) + 1  # and one in the legend
    assert len(shapes(svg, "line", "budget")) == 1


def test_faster_networks_are_further_left_and_better_ones_higher(report):
    nodes = shapes(pareto_svg(report), "circle", "node")[: len(report.pareto)]
    across, down = ([float(node.get(key)) for node in nodes] for key in ("cx", "cy"))
    assert across == sorted(across)
    assert down == sorted(down, reverse=True)


def test_a_run_with_one_network_still_has_a_plot(report):
    alone = dataclasses.replace(report, evaluated=report.evaluated[:1], pareto=report.pareto[:1])
    ET.fromstring(pareto_svg(alone))  # noqa: S314


def test_bars_are_as_long_as_their_latencies(report):
    bars = shapes(bars_svg(report.layers), "rect", "bar")
    lengths = [float(bar.get("width")) for bar in bars]
    ratios = [length / layer.ms for length, layer in zip(lengths, report.layers, strict=True)]
    assert max(ratios) / min(ratios) < 1.02


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.31, 0.92), (-3.0, 250.0), (1e-6, 3e-6)])
def test_ticks_are_inside_and_even(low, high):
    values = ticks(low, high)
    steps = [b - a for a, b in pairwise(values)]
    assert 3 <= len(values) <= 9
    assert low - 1e-9 <= values[0]
    assert values[-1] <= high + 1e-9
    assert max(steps) == pytest.approx(min(steps))
