"""`CatalogueReport`: hand-designed networks on one target, as one value; its lines and its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from nas.latency.experiments import Experiment
from nas.latency.guidelines import LABELS, Finding
from nas.results.report import MeasuredMs
from nas.target import Host, Target

SCHEMA = 1
SHOWN = 10  # networks whose findings are printed in words
LEAST_SHARE_PCT = 1.0  # of a network's time: findings below are noise


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchRate:
    """Throughput at one batch size: milliseconds a batch, images a second."""

    batch: int
    ms: float
    images_per_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkRow:
    """One network.

    Attributes:
        traffic_bytes: Bytes that its ops read and write, weights included.
        predicted_ms: By the table of probes; None: it lacks a computation of the network.
        measured_ms: Measured now; None: not measured here, or refused by the runtime.
        kinds: Kind of op -> predicted milliseconds.
        findings: What each guideline costs it.
        top1_pct, top1_px, top1_source: ImageNet accuracy that was reported, at which image size, by whom.
        note: What is wrong with it; empty for nothing.
    """

    name: str
    size_px: int
    params: int
    macs: int
    traffic_bytes: int
    predicted_ms: float | None
    measured_ms: MeasuredMs | None
    batches: tuple[BatchRate, ...] = ()
    kinds: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    top1_pct: float | None = None
    top1_px: int | None = None
    top1_source: str = ""
    note: str = ""

    @property
    def ms(self) -> float:
        """The best figure of its latency: measured, or predicted."""
        if self.measured_ms is not None:
            return self.measured_ms.median
        return self.predicted_ms if self.predicted_ms is not None else float("inf")

    @property
    def error_pct(self) -> float | None:
        """Predicted over measured, less one."""
        if self.predicted_ms is None or self.measured_ms is None:
            return None
        return 100 * (self.predicted_ms / self.measured_ms.median - 1)

    @property
    def intensity(self) -> float:
        """Multiply-accumulates for each byte of memory traffic."""
        return self.macs / self.traffic_bytes

    @property
    def gmacs_per_s(self) -> float:
        """Multiply-accumulates a second, 10^9."""
        return self.macs / self.ms / 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueReport:
    """Hand-designed networks on one target, fastest first.

    Attributes:
        table, table_hash, table_rows, table_s: The table of probes, and what measuring it took.
        probes_mape_pct: Its error on probes held out; None: it was never proved.
        noise_pct: Split-half disagreement of its measurements.
        experiments: The guidelines on the target, measured.
    """

    target: Target
    host: Host
    table: str
    table_hash: str
    table_rows: int
    table_s: float
    probes_mape_pct: float | None
    noise_pct: float
    experiments: tuple[Experiment, ...]
    networks: tuple[NetworkRow, ...]

    def errors_pct(self) -> list[float]:
        """How far predictions are from measurements, absolute."""
        return [abs(row.error_pct) for row in self.networks if row.error_pct is not None]

    def to_dict(self) -> dict[str, Any]:
        """What the JSON file holds."""
        errors = self.errors_pct()
        summary = {
            "networks": len(self.networks),
            "measured": sum(row.measured_ms is not None for row in self.networks),
            "predicted": sum(row.predicted_ms is not None for row in self.networks),
            "median_error_pct": float(np.median(errors)) if errors else None,
            "p90_error_pct": float(np.quantile(errors, 0.9)) if errors else None,
        }
        rows = [{**asdict(row), "error_pct": row.error_pct, "macs_per_byte": row.intensity} for row in self.networks]
        head = {key: value for key, value in asdict(self).items() if key != "networks"}
        return {"schema": SCHEMA, "summary": summary, **head, "networks": rows}


def catalogue_lines(report: CatalogueReport) -> list[str]:
    """The networks as a table, the guidelines as measured, and what they cost each network."""
    return [
        *_head(report),
        "",
        *_table(report.networks),
        "",
        *_experiments(report.experiments),
        "",
        *_findings(report.networks),
        "",
        *_slower_with_less(report.networks),
    ]


def _head(report: CatalogueReport) -> list[str]:
    errors = report.errors_pct()
    proof = f", {report.probes_mape_pct:.1f} % mean error on held-out probes" if report.probes_mape_pct else ""
    lines = [
        (
            f"{len(report.networks)} networks on {report.target.name} ({report.host.cpu}, {report.host.runtime} "
            f"{report.host.runtime_version}), predicted from {report.table_rows} rows of probe networks{proof}"
        ),
    ]
    if errors:
        lines.append(
            f"predicted against measured on {len(errors)} networks, none of which has a row: median "
            f"{np.median(errors):.1f} %, 90th percentile {np.quantile(errors, 0.9):.1f} %"
        )
    return lines


def _table(rows: Sequence[NetworkRow]) -> list[str]:
    width = max((len(row.name) for row in rows), default=7)
    lines = [
        (
            f"{'network':<{width}}  {'measured':>9}  {'predicted':>9}  {'error':>6}  {'MMACs':>8}  {'params':>11}  "
            f"{'MiB moved':>9}  {'MACs/B':>6}  {'GMAC/s':>6}  images/s by batch; time by kind"
        )
    ]
    for row in rows:
        measured = f"{row.measured_ms.median:9.3f}" if row.measured_ms else f"{'-':>9}"
        predicted = f"{row.predicted_ms:9.3f}" if row.predicted_ms is not None else f"{'-':>9}"
        error = f"{row.error_pct:+5.1f}%" if row.error_pct is not None else f"{'-':>6}"
        rates = ", ".join(f"{rate.batch}: {rate.images_per_s:.0f}" for rate in row.batches)
        lines.append(
            f"{row.name:<{width}}  {measured}  {predicted}  {error}  {row.macs / 1e6:8.1f}  {row.params:11,}  "
            f"{row.traffic_bytes / 2**20:9.1f}  {row.intensity:6.1f}  {row.gmacs_per_s:6.1f}  "
            f"{rates or '-'}; {row.note or _kinds(row)}"
        )
    return lines


def _kinds(row: NetworkRow) -> str:
    total = sum(row.kinds.values()) or 1.0
    return ", ".join(f"{kind} {ms / total:.0%}" for kind, ms in list(row.kinds.items())[:5])


def _experiments(found: Sequence[Experiment]) -> list[str]:
    """The guidelines on this target."""
    if not found:
        return []
    return [
        "the guidelines of ShuffleNetV2 on this target, measured at equal MACs:",
        *(
            f"  {item.guideline:<18} {item.variant}: {item.extra_pct:+.0f} % ({item.extra_ms:+.3f} ms a block)"
            for item in found
        ),
    ]


def _findings(rows: Sequence[NetworkRow]) -> list[str]:
    """What each guideline costs each network, ms and per cent of its time."""
    told = [row for row in rows if row.findings]
    if not told:
        return []
    width = max(len(row.name) for row in told)
    head = "  ".join(f"{label:>20}" for label in LABELS)
    lines = ["what breaking each costs the networks, predicted ms and share of their time:", f"{'':<{width}}  {head}"]
    for row in told:
        cells = (f"{item.ms:+9.3f} ms {item.share_pct:+6.1f}%" for item in row.findings)
        lines.append(f"{row.name:<{width}}  " + "  ".join(f"{cell:>20}" for cell in cells))
    return lines


def _slower_with_less(rows: Sequence[NetworkRow]) -> list[str]:
    """Networks that are slower than one with more MACs, and what their time goes to instead."""
    lines = []
    for row in rows:
        faster = [other for other in rows if other.macs > 1.2 * row.macs and other.ms < row.ms]
        if not (faster and row.findings):
            continue
        other = max(faster, key=lambda item: item.macs)
        reasons = sorted(row.findings, key=lambda item: -item.ms)[:2]
        told = ", ".join(f"{item.guideline} {item.ms:.2f} ms" for item in reasons if item.share_pct > LEAST_SHARE_PCT)
        lines.append(
            f"{row.name} takes {row.ms:.2f} ms for {row.macs / 1e6:.0f} MMACs, {other.name} {other.ms:.2f} ms for "
            f"{other.macs / 1e6:.0f}" + (f": {told}" if told else "")
        )
    return lines[:SHOWN]
