"""Train the networks that `benchmark_supernet.py` holds a supernet against: each alone, with two seeds.

    python scripts/train_truth.py [--file FILE] [--cache FOLDER] [--networks N] [--epochs N] [--device cpu] [--seeds N]

About 70 minutes of one quiet core for 24 networks and two seeds (minutes on a GPU). The file is written after every
training; the same command goes on where it stopped, inside a training too. The networks are drawn once, spread over the
latency that a table measured here predicts; a file that has fewer than N keeps its own, all priced anew by the table
that spreads the others. `--seeds 1` trains the missing ones with the first seed only.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from cifar import load_cifar
from supernet_truth import (
    NETWORKS,
    RECIPE,
    SEEDS,
    SPACE,
    TARGET,
    TRUTH,
    Trained,
    Truth,
    read_truth,
    settings_of,
    space_of,
    spread,
    write_truth,
)

from nas.arch import Arch
from nas.data import Dataset
from nas.latency.measure import measure_space, model_of
from nas.net import Network
from nas.progress import silent
from nas.training import Recipe, accuracy, discard, fine_tune


def main() -> None:
    """Train what is missing."""
    options = _options()
    torch.set_num_threads(1)
    dataset = load_cifar(options.cache)
    recipe = replace(RECIPE, epochs=options.epochs)
    known = read_truth(options.file) if options.file.exists() else _begun(recipe, dataset, options.target)
    truth = _with_networks(known, options)
    archs = truth.archs(space_of(settings_of(truth.space, truth.target)))
    for seed in SEEDS[: options.seeds]:
        for i, arch in enumerate(archs):
            network = truth.networks[i]
            if seed in [trained.seed for trained in network.trained]:
                continue
            trained = train_alone(
                arch,
                dataset,
                truth.recipe,
                seed=seed,
                checkpoint=options.file.with_suffix(".part.safetensors"),
                device=options.device,
            )
            networks = list(truth.networks)
            networks[i] = replace(network, trained=(*network.trained, trained))
            truth = replace(truth, networks=tuple(networks))
            write_truth(options.file, truth)
            print(f"seed {seed} network {i}: {trained.test_accuracy:.4f} in {trained.seconds:.0f} s", flush=True)


def train_alone(arch: Arch, dataset: Dataset, recipe: Recipe, *, seed: int, checkpoint: Path, device: str) -> Trained:
    """Train a network from fresh weights; its accuracy on test and validation images."""
    start = time.monotonic()
    network = fine_tune(Network(arch, seed=seed), dataset, recipe, seed=seed, checkpoint=checkpoint, device=device)
    discard(checkpoint)
    return Trained(
        seed=seed,
        test_accuracy=accuracy(network, dataset.test, dataset),
        val_accuracy=accuracy(network, dataset.val, dataset),
        seconds=time.monotonic() - start,
    )


def _begun(recipe: Recipe, dataset: Dataset, target: str) -> Truth:
    """No network yet."""
    steps = (recipe.epochs or 0) * (len(dataset.train) // recipe.batch)
    return Truth(space=SPACE, target=target, recipe=recipe, steps=steps, networks=())


def _with_networks(truth: Truth, options: argparse.Namespace) -> Truth:
    """The truth with as many networks as are asked for, the new ones untrained."""
    more = options.networks - len(truth.networks)
    if more <= 0:
        return truth
    settings = settings_of(truth.space, options.target)
    space = space_of(settings)
    table = measure_space(space, settings.target, settings.latency, known=None, seed=0, progress=silent)
    model = model_of(table, space)
    priced = zip(truth.networks, truth.archs(space), strict=True)
    known = tuple(replace(network, predicted_ms=model.arch_ms(arch)) for network, arch in priced)
    found = (*known, *spread(space, model, networks=more, known=known))
    truth = replace(truth, target=options.target, networks=found)
    write_truth(options.file, truth)
    return truth


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=TRUTH)
    parser.add_argument("--cache", type=Path, default=None, help="folder that decoded images are kept in")
    parser.add_argument("--networks", type=int, default=NETWORKS)
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--target", default=TARGET, help="what latency is measured on: this machine")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
