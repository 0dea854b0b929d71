"""A table made of round numbers, for the network of every kind."""

from __future__ import annotations

import pytest

from nas.latency.fit import Overhead, Row
from nas.latency.kernels import fused_kernels
from nas.latency.noise import Noise
from nas.latency.proof import Part, Proof
from nas.latency.table import Calibration, Grain, LatencyTable
from nas.latency.timing import Stats
from nas.target import Host, Target
from tests.net.zoo import every_kind

TARGET = Target(name="intel_cpu", runtime="onnxruntime", vendor="GenuineIntel")
HOST = Host(
    cpu="Example CPU",
    vendor="GenuineIntel",
    isa="avx2",
    governor="performance",
    cpus=2,
    cpu_quota=2.0,
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
    spearman=1.0,
    kendall=1.0,
    kendall_equal_flops=None,
    noise_pct=0.4,
    by_kind=(Part(name="conv", share_pct=60.0, error_pct=0.5, sd_pct=1.0),),
    by_stage=(),
    predicted_ms=(1.0, 2.0),
    measured_ms=(1.01, 1.98),
)
STATS = Stats(runs=20, median_us=2.5, min_us=2.0, iqr_us=0.25, split_half=0.01)


def row(us: float, *, networks: int = 2, nodes: int = 1) -> Row:
    """A row of a time."""
    return Row(us=us, profiled_us=us + 0.5, nodes=nodes, networks=networks, disagreement=0.01, stats=STATS)


@pytest.fixture
def target() -> Target:
    return TARGET


@pytest.fixture
def host() -> Host:
    return HOST


@pytest.fixture
def table() -> LatencyTable:
    rows = {kernel.key: row(float(i)) for i, kernel in enumerate(fused_kernels(every_kind()), start=1)}
    return LatencyTable(
        target=TARGET,
        host=HOST,
        measured_on="2026-11-22",
        statistic="p25",
        overhead=Overhead(scale=0.9, node_us=0.2),
        rows=rows,
        refused={"conv 3>7 16px k9": "the runtime does not know it"},
        grain=Grain(channels=16, cost=1.5),
        noise=Noise(verdict="noisy", split_half_pct=2.5, spread_pct=11.0, steal_pct=0.5),
        calibrations={
            "tiny-00000000": Calibration(
                scale=1.05, anchors=3, anchored_on="2026-11-22", uncalibrated_mape_pct=4.0, proof=PROOF
            )
        },
        seconds=12.5,
    )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """A simulated machine that is measured instead of this one."""
    from tests.latency.simulated import install  # noqa: PLC0415  it reads this file

    return install(monkeypatch)
