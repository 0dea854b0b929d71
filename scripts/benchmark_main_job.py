"""The main job, several seeds from an empty folder, against its bars; by hand, about ten minutes a seed.

    python scripts/benchmark_main_job.py --json FILE [--seeds 0 1 2] [--kills 5] [--no-rival]

For every seed `python -m nas.search +target=intel_cpu seed=N` runs from nothing (the table of the first one is kept, as
a user's is). `--kills K` runs seed 0 once more in a folder of its own, killed with SIGKILL at K random moments and
started again each time. The rival is a MobileNetV3-Small for 28 px, its width scaled to the winner's latency, trained
alone for the wall time that the whole job took.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from nas.arch import Arch, cost
from nas.data import load_fashion_mnist
from nas.deploy import verify
from nas.latency.runtimes import make_runtime
from nas.latency.session import measure_networks
from nas.net import Network
from nas.pipeline.context import default_threads
from nas.progress import silent
from nas.target import Target
from nas.training import Recipe, accuracy, fine_tune
from search_spaces.mobilenet_v3 import mobilenet_v3_small

TARGET = Target(name="intel_cpu", runtime="onnxruntime", vendor="GenuineIntel")
WIDTHS = [n / 40 for n in range(4, 61)]  # width multipliers tried for the rival
ROUNDS = 100
PILOT_EPOCHS = 5  # trained to learn how long an epoch takes


def command(seed: int) -> list[str]:
    """The main job as a user types it."""
    return [sys.executable, "-m", "nas.search", "+target=intel_cpu", f"seed={seed}"]


def report_of(folder: Path, seed: int) -> dict[str, Any]:
    """The report of a seed's run."""
    reports = [json.loads(path.read_text()) for path in folder.glob("runs/*/report.json")]
    return next(report for report in reports if report["seed"] == seed)


def run_seed(folder: Path, seed: int) -> dict[str, Any]:
    """Run the job once; its figures and wall seconds."""
    start = time.monotonic()
    subprocess.run(command(seed), cwd=folder, check=True)  # noqa: S603 - our own command
    return {**figures(report_of(folder, seed)), "wall_s": round(time.monotonic() - start, 1)}


def figures(report: dict[str, Any]) -> dict[str, Any]:
    """What the bars ask of a report."""
    names = ("seed", "verdict", "budget_ms", "measured_ms", "predicted_ms", "prediction_error_pct", "test_accuracy")
    more = ("validation_accuracy", "params", "macs", "seconds")
    return {name: report[name] for name in (*names, *more)} | {"inherited": report["search"]["inherited_accuracy"]}


def run_killed(folder: Path, kills: int, typical_s: float) -> dict[str, Any]:
    """Run the job, killed at random moments; its figures and the moments."""
    rng, moments = random.Random(0), []
    for _ in range(kills):
        moment_s = rng.uniform(2, typical_s / 2)
        child = subprocess.Popen(command(0), cwd=folder, start_new_session=True)  # noqa: S603 - our own command
        try:
            child.wait(timeout=moment_s)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            seconds = [json.loads(path.read_text()) for path in folder.glob("runs/*/seconds.json")]
            moments.append({"after_s": round(moment_s, 1), "stages_begun": list(seconds[0]) if seconds else []})
    return {**run_seed(folder, 0), "kills": moments}


def rival(winner: dict[str, Any], train_s: float) -> dict[str, Any]:
    """MobileNetV3-Small at the winner's latency, trained alone for as long as the whole job took."""
    data = load_fashion_mnist()
    arch, width = scaled_to(winner["measured_ms"]["median"])
    network = Network(arch, seed=0)
    torch.set_num_threads(default_threads())
    begin = time.monotonic()
    fine_tune(network, data, Recipe(epochs=PILOT_EPOCHS), seed=0)
    epochs = max(1, int(PILOT_EPOCHS * train_s / (time.monotonic() - begin)))
    begin = time.monotonic()
    trained = fine_tune(network, data, Recipe(epochs=epochs), seed=0)
    seconds = time.monotonic() - begin
    timing = verify(TARGET, arch, anchors=[], predict_ms=lambda _: 0.0, progress=silent).timing
    return {
        "network": f"mobilenet_v3_small x{width:g}, 28 px",
        "measured_ms": timing.median_us / 1000,
        "test_accuracy": accuracy(trained, data.test, data),
        "validation_accuracy": accuracy(trained, data.val, data),
        "params": cost(arch).params,
        "macs": cost(arch).macs,
        "epochs": epochs,
        "train_s": round(seconds, 1),
    }


def scaled_to(latency_ms: float) -> tuple[Arch, float]:
    """The width-scaled MobileNetV3-Small, its stem at stride 1 or 2, whose measured latency is nearest."""
    members = [
        (mobilenet_v3_small(width=width, size_px=28, image_channels=1, classes=10, total_stride=16 * stride), width)
        for stride in (1, 2)
        for width in WIDTHS
    ]
    samples_us = measure_networks(TARGET, [arch for arch, _ in members], rounds=ROUNDS, progress=silent).samples_us
    medians_ms = [statistics.median(runs) / 1000 for runs in samples_us.tolist()]
    return min(zip(members, medians_ms, strict=True), key=lambda pair: abs(pair[1] - latency_ms))[0]


def job(seeds: list[int], kills: int, kept: Path) -> dict[str, Any]:
    """The job for every seed, once more with everything cached, and killed; written to `kept` as it comes."""
    result: dict[str, Any] = {"host": make_runtime(TARGET).host(TARGET).slug}
    with tempfile.TemporaryDirectory() as scratch:
        result["runs"] = [run_seed(Path(scratch), seed) for seed in seeds]
        kept.write_text(json.dumps(result, indent=2))
        result["again_s"] = run_seed(Path(scratch), seeds[0])["wall_s"]
    result["mean_test_accuracy"] = statistics.mean(run["test_accuracy"] for run in result["runs"])
    kept.write_text(json.dumps(result, indent=2))
    if kills:
        with tempfile.TemporaryDirectory() as scratch:
            result["killed"] = run_killed(Path(scratch), kills, result["runs"][0]["wall_s"])
    return result


def main() -> None:
    """Run what the arguments ask for; print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--rival", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--rival-of", type=Path, help="FILE of an earlier run: train the rival of its first seed, only")
    arguments = parser.parse_args()
    if arguments.rival_of:
        result = json.loads(arguments.rival_of.read_text())
    else:
        result = job(arguments.seeds, arguments.kills, arguments.json)
        arguments.json.write_text(json.dumps(result, indent=2))
    if arguments.rival:
        result["rival"] = rival(result["runs"][0], result["runs"][0]["wall_s"])
    arguments.json.write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
