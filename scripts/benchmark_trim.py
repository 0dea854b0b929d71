"""NetAdapt against uniform scaling, one-shot magnitude pruning and Torch-Pruning, at equal measured latency.

    python scripts/benchmark_trim.py --json FILE [--small | --quick] [--workers 2] [--part cases slower choices longer]

A MobileNetV2 and a MobileNetV3-Small shaped for 32 px are trained on CIFAR-10 (`../shared/data`) by the project and
trimmed to 0.75, 0.6 and 0.5 of their measured latency. Parts, in the order they run:

    cases      the rows: every method, network and ratio
    slower     networks after every move, and proposals that were not taken, timed beside those they came from
    choices    what each way of choosing moves costs and brings, at 0.6 of MobileNetV3-Small
    longer     rows of the untrimmed networks, trained in one piece for as long as the trimmed ones in total

`--small` is for two cores (100 minutes, the last two parts apart): 20,000 images, two processes of one thread. The full
form takes all images and ten times the epochs and is meant for a GPU (`--device cuda --workers 1`). What is found
is kept in FILE and in a folder beside it; the same command goes on where it stopped. Torch-Pruning takes part where it
is installed (`pip install torch-pruning`). Nothing else should run: latencies are timed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from bars import lines
from supernet_truth import TARGET
from trim_bench import Bench, Setup
from trim_cases import cases
from trim_choices import choices
from trim_jobs import Jobs
from trim_longer import longer
from trim_slower import slower

from nas.errors import NasError

BARS = {
    "over_budget": "<= 0",
    "least_use_pct": ">= 97",
    "least_realised_pct": ">= 90",
    "rivals_above": "<= 0",
    "most_lost_at_0.6_points": "<= 1",
    "slower_networks": "<= 0",
}
PARTS: Mapping[str, Callable[[Bench, Jobs], dict[str, Any]]] = {
    "cases": cases,
    "slower": slower,
    "choices": choices,
    "longer": longer,
}


def main() -> None:
    """Run the parts; print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--small", dest="size", action="store_const", const="small", default="full")
    parser.add_argument("--quick", dest="size", action="store_const", const="quick")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--target", default=TARGET, help="what latency is measured on: this machine")
    parser.add_argument("--cache", type=Path, help="folder that decoded images are kept in")
    options = parser.parse_args()
    torch.set_num_threads(1)
    setup = Setup(
        size=options.size,
        file=options.json.resolve(),
        cache=options.cache,
        device=options.device,
        target=options.target,
    )
    bench = Bench(setup)
    errors = bench.result.setdefault("errors", {})
    with Jobs(setup, workers=options.workers) as jobs:
        for part in (name for name in PARTS if name in options.part):
            start = time.monotonic()
            try:
                bench.keep(PARTS[part](bench, jobs))
                errors.pop(part, None)
            except NasError as error:  # what fails in one part says nothing of the others
                errors[part] = str(error)
            bench.keep({})
            print(part, f"{time.monotonic() - start:.0f} s", errors.get(part, ""), flush=True)
    print("\n".join(lines(bench.result, BARS, rows=_rows(bench.result))))


def _rows(result: Mapping[str, Any]) -> list[str]:
    told = [
        f"{row['network']:20} {row['ratio']:4g} {row['method']:14} budget {row['budget_ms']:.4f} measured "
        f"{row['measured_ms']:.4f} predicted {row['predicted_ms']:.4f} ms, {row['accuracy']:.2%}, "
        f"{row['seconds']:.0f} s"
        for row in result.get("rows", ())
    ]
    return told + [
        f"{name:28} trimmed in {row['trim_seconds']:.0f} s to {row['validation']:.2%} on validation, trained further "
        f"{row['accuracy']:.2%}"
        for name, row in result.get("choices", {}).items()
    ]


if __name__ == "__main__":
    main()
