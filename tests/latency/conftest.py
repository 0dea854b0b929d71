"""A table made of round numbers, for the network of every kind."""

from __future__ import annotations

import pytest

from nas.latency.fit import Overhead, Row
from nas.latency.kernels import fused_kernels
from nas.latency.proof import Proof
from nas.latency.table import Calibration, LatencyTable
from nas.target import Host, Target
from tests.net.zoo import every_kind

TARGET = Target(name="intel_cpu", runtime="onnxruntime", vendor="GenuineIntel")
HOST = Host(
    cpu="Example CPU",
    vendor="GenuineIntel",
    isa="avx2",
    runtime="onnxruntime",
    runtime_version="1.0",
    threads=1,
    precision="fp32",
    batch=1,
)
PROOF = Proof(
    networks=2,
    mape_pct=1.0,
    max_pct=1.5,
    within_2_pct=100.0,
    within_5_pct=100.0,
    within_10_pct=100.0,
    kendall=1.0,
    noise_pct=0.4,
    predicted_ms=(1.0, 2.0),
    measured_ms=(1.01, 1.98),
)


@pytest.fixture
def target() -> Target:
    return TARGET


@pytest.fixture
def host() -> Host:
    return HOST


@pytest.fixture
def table() -> LatencyTable:
    rows = {
        kernel.key: Row(us=float(i), profiled_us=i + 0.5, nodes=1, networks=2)
        for i, kernel in enumerate(fused_kernels(every_kind()), start=1)
    }
    return LatencyTable(
        target=TARGET,
        host=HOST,
        measured_on="2026-11-22",
        statistic="p25",
        overhead=Overhead(scale=0.9, node_us=0.2),
        rows=rows,
        calibrations={"tiny-00000000": Calibration(scale=1.05, anchors=3, proof=PROOF)},
        seconds=12.5,
    )
