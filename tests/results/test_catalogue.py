"""Hand-designed networks on a target: the lines, the file and the picture."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET

import pytest

from nas.latency.experiments import Experiment
from nas.latency.guidelines import LABELS, Finding
from nas.results.catalogue import BatchRate, CatalogueReport, NetworkRow, catalogue_lines
from nas.results.catalogue_svg import catalogue_svg
from nas.results.html import page
from nas.results.report import MeasuredMs, ReferenceRow
from nas.results.svg import pareto_svg
from tests.results.conftest import example_report


def row(name: str, ms: float, macs: float, **changes: object) -> NetworkRow:
    found = NetworkRow(
        name=name,
        size_px=224,
        params=1_000_000,
        macs=int(macs),
        traffic_bytes=10_000_000,
        predicted_ms=1.1 * ms,
        measured_ms=MeasuredMs(median=ms, low=0.99 * ms, high=1.01 * ms, p90=1.05 * ms, runs=20),
        batches=(BatchRate(batch=8, ms=7 * ms, images_per_s=8000 / (7 * ms)),),
        kinds={"conv 1x1": ms, "depthwise conv": 0.1 * ms},
        findings=tuple(Finding(guideline=label, kernels=2, ms=0.1, share_pct=100 * 0.1 / ms) for label in LABELS),
        top1_pct=70.0 + ms,
        top1_px=224,
        top1_source="a <paper>",
    )
    return dataclasses.replace(found, **changes)


@pytest.fixture
def found() -> CatalogueReport:
    report = example_report()
    return CatalogueReport(
        target=report.target,
        host=report.host,
        table="table.json",
        table_hash="0123",
        table_rows=99,
        table_s=200.0,
        probes_mape_pct=6.0,
        noise_pct=1.0,
        experiments=(Experiment(guideline=LABELS[0], variant="a for b", extra_pct=7.0, extra_ms=0.03),),
        networks=(row("slim", 2.0, 3e8), row("odd", 3.0, 1e8), row("new", 4.0, 5e8, predicted_ms=None, note="no row")),
    )


def test_errors_are_those_of_networks_with_both_figures(found) -> None:
    assert found.errors_pct() == pytest.approx([10.0, 10.0])
    summary = found.to_dict()["summary"]
    assert (summary["networks"], summary["predicted"], summary["measured"]) == (3, 2, 3)
    assert summary["p90_error_pct"] == pytest.approx(10.0)
    assert json.loads(json.dumps(found.to_dict()))["networks"][0]["macs_per_byte"] == pytest.approx(30.0)


def test_the_lines_tell_what_a_reader_asks(found) -> None:
    text = "\n".join(catalogue_lines(found))
    assert "median 10.0 %, 90th percentile 10.0 %" in text
    assert "a for b: +7 %" in text
    assert "odd takes 3.00 ms for 100 MMACs, slim 2.00 ms for 300" in text
    assert "no row" in text


def test_nothing_measured_is_said_so(found) -> None:
    rows = tuple(dataclasses.replace(item, measured_ms=None) for item in found.networks[:2])
    bare = dataclasses.replace(found, experiments=(), networks=rows)
    assert bare.errors_pct() == []
    assert bare.to_dict()["summary"]["median_error_pct"] is None
    assert catalogue_lines(bare)


def test_the_picture_shows_networks_and_a_front(found) -> None:
    alone, with_run = catalogue_svg(found), catalogue_svg(found, example_report())
    for text in (alone, with_run):
        ET.fromstring(text)  # noqa: S314 - ours
    assert "a &lt;paper&gt;" in alone
    assert 'polyline class="front"' not in alone
    assert 'polyline class="front"' in with_run


def test_accuracies_of_other_sizes_are_not_drawn(found) -> None:
    others = tuple(dataclasses.replace(item, top1_px=240) for item in found.networks)
    assert "<circle" not in catalogue_svg(dataclasses.replace(found, networks=others))


def test_a_run_shows_reference_points_without_accuracy() -> None:
    reference = ReferenceRow(name="mobilenet_v2_0.5", latency_ms=0.3, params=5, macs=6, fits=True)
    report = example_report(references=(reference,))
    assert "mobilenet_v2_0.5" in page(report)
    assert "not trained" in page(report)
    assert "mobilenet_v2_0.5, hand-designed" in pareto_svg(report)
    assert "mobilenet_v2_0.5" not in page(example_report())
