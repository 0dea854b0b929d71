"""A supernet against networks trained alone on CIFAR-10: ranks, levels, fine-tuning, rivals, speed.

    python scripts/benchmark_supernet.py --json FILE [--small] [--part ranking ...] [--quick] [--device cuda]

Parts, in the order they run (about two hours on one quiet core with `--small`):

    ranking    two supernets, their scores of the networks in supernet_truth.json, alone and blended with a zero-cost
               score as a run blends them, and the controls' on the same
    level      inherited test accuracy beside stand-alone test accuracy
    finetuned  each network trained further from the first supernet for a quarter of the truth's steps
    rivals     at three budgets, the network found with the first supernet beside hand-designed ones of equal measured
               latency, all trained alone with the truth's recipe and two seeds
    speed      a supernet's step beside plain training of the average network; waiting for data; scoring
    decoding   JPEG files through the streaming loader beside processes that only decode

`--small` is for two cores: at most ten minutes of training a supernet. The full form trains 17 times as long and is
meant for a GPU. What is trained is kept beside FILE, and the same command goes on where it stopped. `--quick` shrinks
everything to see that it runs; its figures mean nothing. `train_truth.py` makes the truth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from supernet_bars import lines
from supernet_bench import FULL, QUICK, SMALL, Bench
from supernet_decoding import decoding
from supernet_rivals import rivals
from supernet_speed import speed
from supernet_stats import Floats, ceiling, pairs_in_band, plain, ranking, tau
from supernet_truth import TARGET

from nas.accuracy import ProxyEvaluator
from nas.arch import Arch
from nas.errors import NasError
from nas.net import Network
from nas.training import Recipe, accuracy, fine_tune

SUPERNETS = (0, 1)  # seeds
ZERO_COST = ("macs", "params", "synflow", "naswot", "grad_norm", "zico")
ZERO_COST_IMAGES = 128
MUST_LEAD = ("macs", "params", "synflow", "naswot", "one_epoch")  # controls that a supernet has to beat
WITHIN = 0.04  # of accuracy, that an inherited network may lie off its stand-alone one


def ranks(bench: Bench) -> dict[str, Any]:
    """Scores of two supernets, blended as in a run, and of the controls, against the truth."""
    scores = _scores(bench)
    found = {name: ranking(np.array(own), bench.mean, ms=bench.ms, macs=bench.macs) for name, own in scores.items()}
    own = [found[f"blended{seed}"] for seed in SUPERNETS]
    in_band, partial = (
        float(np.mean([getattr(one, key) or 0.0 for one in own])) for key in ("tau_in_band", "tau_partial")
    )
    return {
        "tau": float(np.mean([one.tau or 0.0 for one in own])),
        "tau_in_band": in_band,
        "tau_partial": partial,
        "pairs_in_band": pairs_in_band(bench.ms),
        "controls_above_in_band": sum((found[name].tau_in_band or 0.0) >= in_band for name in MUST_LEAD),
        "controls_above_partial": sum((found[name].tau_partial or 0.0) >= partial for name in MUST_LEAD),
        "tau_two_supernets": tau(*(np.array(scores[f"supernet{seed}"]) for seed in SUPERNETS)),
        "train_seconds": max(bench.result.get(f"train_seconds_supernet{seed}", 0.0) for seed in SUPERNETS),
        "rankings": {name: plain(one) for name, one in found.items()},
        "truth": ceiling(bench.alone, ms=bench.ms),
    }


def _scores(bench: Bench) -> dict[str, list[float]]:
    """Name -> scores of the truth's networks."""

    def by_supernet(seed: int) -> list[float]:
        return bench.evaluator(seed).scores(bench.archs)

    def blended(seed: int) -> list[float]:
        return bench.blended(seed).scores(bench.archs)

    def by_proxy(name: str) -> list[float]:
        proxy = ProxyEvaluator(name, bench.dataset, images=ZERO_COST_IMAGES, device=bench.device)
        return proxy.scores(bench.archs)

    scores = {
        f"supernet{seed}": bench.once("scores", f"supernet{seed}", partial(by_supernet, seed)) for seed in SUPERNETS
    }
    scores |= {f"blended{seed}": bench.once("scores", f"blended{seed}", partial(blended, seed)) for seed in SUPERNETS}
    scores |= {name: bench.once("scores", name, partial(by_proxy, name)) for name in ZERO_COST}
    scores["one_epoch"] = [
        bench.once("one_epoch", str(i), partial(_one_epoch, bench, arch)) for i, arch in enumerate(bench.archs)
    ]
    return scores


def _one_epoch(bench: Bench, arch: Arch) -> float:
    recipe = Recipe(steps=bench.size.steps) if bench.size.steps else Recipe(epochs=1)
    network = fine_tune(Network(arch, seed=0), bench.dataset, recipe, seed=0, device=bench.device)
    return accuracy(network, bench.dataset.val, bench.dataset)


def level(bench: Bench) -> dict[str, Any]:
    """Inherited accuracy on the test images beside stand-alone accuracy on them.

    A supernet that is trained for much longer than the truth's networks lies above them, one that is trained for less
    lies about where they do, and ranks them as well. Of networks that were trained alone with one seed it is known only
    to within a point or two what they reach, so the share of the others is told too.
    """
    dataset, evaluator = bench.dataset, bench.evaluator(SUPERNETS[0])
    inherited = np.array([accuracy(evaluator.network(arch), dataset.test, dataset) for arch in bench.archs])
    over: Floats = inherited - bench.mean
    return {
        "level_points": [100 * float(value) for value in (over.min(), over.mean(), over.max())],
        "level_within_4_share": float((np.abs(over) <= WITHIN).mean()),
        "level_within_4_share_every_seed": float((np.abs(over[bench.sure]) <= WITHIN).mean()),
    }


def finetuned(bench: Bench) -> dict[str, Any]:
    """A quarter of the steps, from inherited weights; of the networks that were trained alone with every seed."""
    evaluator, dataset = bench.evaluator(SUPERNETS[0]), bench.dataset

    def tuned(arch: Arch) -> float:
        network = fine_tune(evaluator.network(arch), dataset, bench.quarter, seed=0, device=bench.device)
        return accuracy(network, dataset.test, dataset)

    reached = [bench.once("tuned", str(i), partial(tuned, bench.archs[i])) for i in bench.sure]
    gain = np.array(reached) - bench.mean[bench.sure]
    return {"finetuned_above_standalone": float((gain > 0).mean()), "finetuned_gain_points": 100 * float(gain.mean())}


PARTS: Mapping[str, Callable[[Bench], dict[str, Any]]] = {
    "ranking": ranks,
    "level": level,
    "finetuned": finetuned,
    "rivals": rivals,
    "speed": speed,
    "decoding": decoding,
}


def main() -> None:
    """Run the parts; print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--target", default=TARGET, help="what latency is measured on: this machine")
    parser.add_argument("--cache", type=Path, help="folder that decoded images are kept in")
    options = parser.parse_args()
    torch.set_num_threads(1)
    size = QUICK if options.quick else SMALL if options.small else FULL
    bench = Bench(options.json, size, device=options.device, cache=options.cache, target=options.target)
    errors = bench.result.setdefault("errors", {})
    for name in (part for part in PARTS if part in options.part):
        start = time.monotonic()
        try:
            bench.keep(PARTS[name](bench))
            errors.pop(name, None)
        except NasError as error:  # what fails in one part says nothing of the others
            errors[name] = str(error)
        bench.keep({})
        print(name, f"{time.monotonic() - start:.0f} s", errors.get(name, ""), flush=True)
    print("\n".join(lines(bench.result, size.bars)))


if __name__ == "__main__":
    main()
