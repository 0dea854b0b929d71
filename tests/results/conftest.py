import random

import pytest

from nas.results import (
    DataSummary,
    LayerLatency,
    MeasuredMs,
    MoveRow,
    ParetoRow,
    Point,
    RunReport,
    SearchSummary,
    SpaceSummary,
    TableSummary,
)
from nas.target import Host, Target


def example_report(**changes):
    """A report with the shape of a real run; its figures are made up."""
    rng = random.Random(0)
    evaluated = []
    for _ in range(60):
        latency = rng.uniform(0.21, 0.74)
        evaluated.append(Point(latency_ms=latency, accuracy=0.80 + 0.06 * latency + rng.gauss(0, 0.008)))
    front = [0.22, 0.25, 0.28, 0.31, 0.34, 0.36, 0.39, 0.43, 0.49, 0.55, 0.63, 0.72]
    values = {
        "name": "default",
        "budget_ms": 0.384,
        "budget_origin": "geometric mean of the space's fastest and slowest",
        "measured_ms": MeasuredMs(median=0.371, low=0.367, high=0.376, p90=0.402, runs=1200),
        "predicted_ms": 0.379,
        "test_accuracy": 0.8935,
        "validation_accuracy": 0.901,
        "params": 182_346,
        "macs": 3_412_880,
        "target": Target(name="intel_cpu", runtime="onnxruntime", vendor="GenuineIntel"),
        "host": Host(
            cpu="AMD EPYC 7763",
            vendor="AuthenticAMD",
            isa="avx2",
            governor="performance",
            cpus=2,
            cpu_quota=2.0,
            runtime="onnxruntime",
            runtime_version="1.32.0",
            threads=1,
            precision="fp32",
            batch=1,
        ),
        "seed": 0,
        "files": {"onnx": "runs/default/model.onnx", "report": "runs/default/report.html"},
        "seconds": {"table": 31.2, "supernet": 221.0, "search": 70.4, "finetune": 92.3},
        "table": TableSummary(
            path="latency_tables/intel_cpu/amd-epyc.json",
            hash="0c1f9a2e",
            rows=412,
            heldout_networks=10,
            mean_error_pct=1.3,
            max_error_pct=3.4,
            noise_pct=1.2,
            notes=("10 anchor networks",),
        ),
        "space": SpaceSummary(name="mobilenet_v3_small_images", fastest_ms=0.2, slowest_ms=0.74),
        "data": DataSummary(
            name="Fashion-MNIST (subset)",
            classes=tuple("0123456789"),
            mean=(0.286,),
            std=(0.353,),
            train_images=6000,
            validation_images=1000,
            test_images=2000,
        ),
        "search": SearchSummary(trials=60, inherited_accuracy=0.846),
        "trim": (
            MoveRow(
                width="s2.b0.mid",
                channels_before=96,
                channels_after=88,
                saved_ms=0.0042,
                accuracy_before=0.846,
                accuracy_after=0.845,
                latency_ms=0.386,
            ),
            MoveRow(
                width="s1",
                channels_before=32,
                channels_after=24,
                saved_ms=0.007,
                accuracy_before=0.845,
                accuracy_after=0.842,
                latency_ms=0.379,
            ),
        ),
        "pareto": tuple(
            ParetoRow(
                latency_ms=latency,
                accuracy=0.81 + 0.07 * latency**0.5,
                params=int(400_000 * latency),
                macs=int(9e6 * latency),
                winner=latency == 0.39,
                note="trimmed to the budget" if latency == 0.39 else "",
            )
            for latency in front
        ),
        "evaluated": tuple(evaluated),
        "layers": tuple(
            LayerLatency(
                layer=f"s{i // 4}.b{i % 4}.depthwise",
                kernel=f"dw c{16 + 8 * i} k5 s1 at 14 px",
                ms=0.004 + i % 5 * 0.006,
            )
            for i in range(24)
        ),
        "next": ("python -m nas.report name=default", "python -m nas.search -m budget_ms=0.3,0.4,0.5"),
        "notes": ("this host is not an Intel CPU; the table is filed under it",),
    }
    return RunReport(**{**values, **changes})


@pytest.fixture
def report():
    return example_report()
