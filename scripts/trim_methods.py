"""NetAdapt and what it is held against; each job is a case of one network, run in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import trim_pruning
from trim_bench import SEED, Setup, worker

from nas.accuracy import ValidationScore
from nas.arch import Arch, cost, from_json, to_json
from nas.data import subset
from nas.errors import InputError
from nas.net import Network
from nas.netadapt import TrimSettings, importance, narrow, shrink, trim, trimmable, tuner
from nas.training import Recipe

NETADAPT, UNIFORM, ONE_SHOT, PRUNING = "netadapt", "uniform", "one_shot", "torch_pruning"
UNTRIMMED, LONGER = "untrimmed", "untrimmed_longer"
CALIBRATED = 512  # training images, for batch norm and for importance
MULTIPLES = (8, 16)  # that rivals' channels are rounded to; the better one is taken
KEPT = tuple(float(kept) for kept in np.linspace(0.98, 0.2, 40))  # shares of all channels
GONE = tuple(float(gone) for gone in np.linspace(0.03, 0.81, 27))  # shares that Torch-Pruning is asked to remove


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A rival's network before it is chosen by latency.

    Attributes:
        share: Of the channels: what is kept, or for Torch-Pruning what is to go.
        multiple: Channels are rounded to it.
        arch: As JSON.
    """

    method: str
    share: float
    multiple: int
    arch: str


def train_base(setup: Setup, name: str) -> dict[str, float]:
    """The network to trim, trained alone."""
    bench = worker(setup)
    return bench.trained(name, "base", Network(bench.arch(name), seed=SEED), bench.size.base)


def trim_to(
    setup: Setup, name: str, start: str, key: str, *, budget_ms: float, settings: TrimSettings, workers: int = 1
) -> dict[str, Any]:
    """Trim the network kept as `start` to a predicted latency; keep it as `key`."""
    bench = worker(setup)
    network, device = bench.load(name, start), setup.device
    scored = subset(bench.dataset.val, np.arange(bench.size.scored))
    dataset = replace(bench.dataset, val=scored)
    score = ValidationScore(dataset, device=device, images=CALIBRATED, reference=network)
    began = time.monotonic()
    result = trim(
        network,
        bench.model(name).arch_ms,
        budget_ms=budget_ms,
        settings=replace(settings, grain=bench.grain),
        score=score,
        calibration=score.calibration,
        tune=tuner(bench.dataset, replace(bench.size.tune, lr=settings.tune_lr), device=device),
        workers=workers,
    )
    seconds = time.monotonic() - began
    bench.save(name, key, result.network)
    return {
        "seconds": seconds,
        "dropped": result.dropped,
        "moves": [asdict(move) for move in result.moves],
        "accuracy": result.moves[-1].accuracy_after if result.moves else score(network),
    }


def tune_on(setup: Setup, name: str, start: str, key: str, recipe: Recipe) -> dict[str, float]:
    """Train a narrowed network further."""
    bench = worker(setup)
    return bench.trained(name, key, bench.load(name, start), recipe)


def train_alone(setup: Setup, name: str, arch: str, key: str, steps: int) -> dict[str, float]:
    """Train a network, narrower or not, from fresh weights, for as long as a trimmed one in total."""
    bench = worker(setup)
    recipe = replace(bench.size.base, epochs=None, steps=steps)
    return bench.trained(name, key, Network(from_json(arch), seed=SEED), recipe)


def candidates(setup: Setup, name: str) -> list[Candidate]:
    """Networks that every rival could come to, of all sizes."""
    bench = worker(setup)
    base, found = bench.load(name, "base"), list[Candidate]()
    for multiple in MULTIPLES:
        for kept in KEPT:
            arch = to_json(uniformly(base.arch, kept, multiple))
            found.append(Candidate(method=UNIFORM, share=kept, multiple=multiple, arch=arch))
        for gone in GONE if trim_pruning.installed() else ():
            arch = to_json(trim_pruning.pruned(base, ratio=gone, round_to=multiple).arch)
            found.append(Candidate(method=PRUNING, share=gone, multiple=multiple, arch=arch))
    return list({(one.method, one.arch): one for one in found}.values())


def narrowed(setup: Setup, name: str, chosen: Candidate, key: str) -> None:
    """Keep what a rival makes of the trained network: its strongest filters at a uniform ratio, or Torch-Pruning's."""
    bench = worker(setup)
    base = bench.load(name, "base")
    if chosen.method == PRUNING:
        network = trim_pruning.pruned(base, ratio=chosen.share, round_to=chosen.multiple)
    else:
        network = narrow(base, from_json(chosen.arch), importance(base))
    bench.save(name, key, network)


def uniformly(arch: Arch, kept: float, multiple: int) -> Arch:
    """All widths narrowed by one ratio, rounded to multiples."""
    narrower = arch
    for width in trimmable(arch):
        channels = max(multiple, round(arch.widths[width] * kept / multiple) * multiple)
        if channels < arch.widths[width]:
            try:
                narrower = shrink(arch, narrower, width, channels, grain=multiple)
            except InputError:
                continue
    return narrower


def most(candidates: Sequence[tuple[Candidate, float]], ms: float) -> tuple[Candidate, float]:
    """Of networks that take as long as another one the one with most MACs; where there is none, the nearest."""
    equal = [pair for pair in candidates if 0.97 * ms <= pair[1] <= 1.01 * ms]
    if equal:
        return max(equal, key=lambda pair: cost(from_json(pair[0].arch)).macs)
    return min(candidates, key=lambda pair: abs(np.log(pair[1] / ms)))
