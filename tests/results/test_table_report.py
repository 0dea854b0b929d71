"""A table's own report: lines, page and picture."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from nas.latency.fit import Overhead, Row
from nas.latency.model import Share
from nas.latency.noise import Noise
from nas.latency.proof import prove
from nas.latency.table import Calibration, Grain, LatencyTable
from nas.latency.timing import Stats
from nas.results import proof_svg, table_lines, table_page
from tests.results.test_html import SVG, Balance, shapes

SPACE = "mobilenet_v3_28px-0123abcd"
KERNELS = ("conv 1>16 28px k3 s2 hswish", "dw 16 14px k5 relu", "se 16 14px sq8 hsigmoid relu", "linear 96>10 1px")
LAYERS = ("stem", "s0.b0.depthwise", "s0.b0.se", "classifier")


def example_proof(networks: int = 12, *, off: float = 1.0):
    rng = np.random.default_rng(0)
    parts = rng.uniform(0.05, 0.2, (networks, len(KERNELS)))
    breakdowns = [
        tuple(
            Share(layer=layer, kernel=kernel, ms=float(ms))
            for layer, kernel, ms in zip(LAYERS, KERNELS, row, strict=True)
        )
        for row in parts
    ]
    measured = parts.sum(axis=1) * off * rng.normal(1, 0.01, networks)
    macs = list(rng.uniform(5e6, 6e6, networks))
    return prove(parts.sum(axis=1), measured, noise_pct=0.8, macs=macs, breakdowns=breakdowns)


@pytest.fixture
def table(report) -> LatencyTable:
    stats = Stats(runs=20, median_us=3.0, min_us=2.5, iqr_us=0.4, split_half=0.01)
    return LatencyTable(
        target=report.target,
        host=report.host,
        measured_on="2026-11-22",
        statistic="median",
        overhead=Overhead(scale=0.97, node_us=1.1),
        rows={
            key: Row(us=2.5 + i, profiled_us=4.0, nodes=1, networks=9, disagreement=0.02, stats=stats)
            for i, key in enumerate(KERNELS)
        },
        refused={"conv 8>8 14px k1 gelu": "the child process crashed"},
        grain=Grain(channels=8, cost=1.9),
        noise=Noise(verdict="noisy", split_half_pct=1.9, spread_pct=12.0, steal_pct=0.3),
        calibrations={
            SPACE: Calibration(
                scale=1.034,
                anchors=10,
                anchored_on="2026-11-23",
                uncalibrated_mape_pct=3.4,
                proof=example_proof(),
            )
        },
        seconds=31.0,
    )


@pytest.mark.parametrize(
    "figure",
    [
        "tables/x.json: 4 rows of ",
        "measured: 2026-11-22 in 31 s, 1 thread, batch 1, fp32",
        "limits: 2 CPUs, time of 2, clock governor performance",
        "machine: noisy: networks' split halves 1.90 % apart",
        "multiples of 8 run without waste; other widths cost up to x1.90",
        "refused: 1 kernel, 'conv 8>8 14px k1 gelu' among them: the child process crashed",
        "predicted against measured on 12 held-out networks:",
        "  error mean ",
        "within 2 / 5 / 10 % ",
        "Kendall ",
        "Spearman ",
        "the measurements' own split-half noise 0.80 %",
        "x1.0340, 10 anchor networks on 2026-11-23; error without it 3.40 %",
        "  dw k5  ",
        "  s0  ",
    ],
)
def test_lines_hold_the_proof(table, figure) -> None:
    text = "\n".join(table_lines(table, SPACE, "tables/x.json"))
    assert figure in re.sub(r" +(?=  )", "", text) or figure in text


def test_the_page_of_a_poor_table_says_so(table) -> None:
    calibration = dataclasses.replace(table.calibrations[SPACE], proof=example_proof(off=1.2))
    poor = table_page(table.with_calibration(SPACE, calibration), "x")
    assert '<span class="verdict PASS">good' in table_page(table, "x")
    assert '<span class="verdict FAIL">poor' in poor
    assert "measure it again" in poor


def test_a_space_without_calibration_has_no_proof(table) -> None:
    lines = table_lines(table, "other", "x")
    assert len(lines) == 6
    assert not any("predicted" in line for line in lines)


def test_the_page_is_well_formed_asks_for_nothing_and_escapes(table) -> None:
    evil = "<b onclick='x'>&\"</b>"
    changed = dataclasses.replace(
        table,
        rows={**table.rows, evil: table.rows[KERNELS[0]]},
        refused={evil: evil},
        host=dataclasses.replace(table.host, cpu=evil),
        calibrations={SPACE: table.calibrations[SPACE], evil: table.calibrations[SPACE]},
    )
    text = table_page(changed, evil)
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert "<b o" not in text
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<script|<link|<img|@import|url\(", text)
    assert text.count("<svg") == 2


def test_the_picture_places_everything_inside() -> None:
    for proof in (example_proof(), example_proof(1), example_proof(off=1.5)):
        root = ET.fromstring(proof_svg(proof))  # noqa: S314
        width, height = (int(value) for value in root.get("viewBox").split()[2:])
        nodes = [item for item in root.iter(f"{SVG}circle") if item.get("class") == "node"]
        assert len(nodes) == proof.networks + len(proof.by_kind) + len(proof.by_stage)
        assert all(0 <= float(node.get("cx")) <= width and 0 <= float(node.get("cy")) <= height for node in nodes)
        lines = [item for item in root.iter(f"{SVG}line") if item.get("class") == "front"]
        assert all(430 <= float(line.get(key)) <= width for line in lines for key in ("x1", "x2"))


def test_networks_predicted_too_high_lie_above_the_diagonal() -> None:
    proof = dataclasses.replace(example_proof(), predicted_ms=(1.3,) * 12, measured_ms=(1.0,) * 12)
    node = shapes(proof_svg(proof), "circle", "node")[0]
    across, up = (float(node.get("cx")) - 64) / (410 - 64), (372 - float(node.get("cy"))) / (372 - 44)
    assert up > across


def test_a_proof_without_parts_is_drawn_without_them() -> None:
    proof = dataclasses.replace(example_proof(), by_kind=(), by_stage=())
    assert len(shapes(proof_svg(proof), "circle", "node")) == proof.networks
