"""What the parts of `benchmark_supernet.py` share: data, truth, trained supernets, and the file of results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from cifar import load_cifar
from supernet_bars import FULL_BARS, SMALL_BARS
from supernet_stats import Floats
from supernet_truth import SEEDS, TRUTH, read_truth, settings_of, space_of

from nas.accuracy import REFERENCES, Blended, ProxyEvaluator, SupernetEvaluator
from nas.data import Dataset
from nas.latency.anchors import anchors_of
from nas.latency.measure import MeasurePlan
from nas.net import Supernet
from nas.progress import silent
from nas.settings import SupernetSettings
from nas.training import Recipe, train_supernet


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is done.

    Attributes:
        supernet: How a supernet is trained.
        finetune_lr: Peak rate of fine-tuning for a quarter of the truth's steps.
        networks: At most so many networks of the truth.
        steps: Of every other training, where it is not the truth's; None: the truth's.
        trials: Networks that are scored to find one of a budget.
        pace_steps: Steps that are timed.
    """

    supernet: Recipe
    bars: Mapping[str, str]
    finetune_lr: float = 0.05
    networks: int = 1000
    steps: int | None = None
    trials: int = 200
    pace_steps: int = 100
    plan: MeasurePlan | None = None


SMALL = Size(supernet=Recipe(epochs=10), bars=SMALL_BARS)
FULL = Size(supernet=Recipe(epochs=150), bars=FULL_BARS)
QUICK = Size(
    supernet=Recipe(steps=40),
    bars=SMALL_BARS,
    networks=4,
    steps=20,
    trials=6,
    pace_steps=10,
    plan=MeasurePlan(networks=24, anchors=4, heldout=4, rounds=8, profile_runs=4, seconds=5),
)


class Bench:
    """The benchmark at work; results are written after everything that takes long."""

    def __init__(self, file: Path, size: Size, *, device: str, cache: Path | None, target: str) -> None:
        self.size, self.device, self._file = size, device, file
        self.result: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        self.dataset = load_cifar(cache)
        self.truth = read_truth(TRUTH)
        self.settings = settings_of(self.truth.space, target)
        self.space = space_of(self.settings)
        known = [network for network in self.truth.networks if network.trained][: size.networks]
        self.archs = replace(self.truth, networks=tuple(known)).archs(self.space)
        self.ms: Floats = np.array([network.predicted_ms for network in known])
        self.macs: Floats = np.array([network.macs for network in known], dtype=np.float64)
        by_seed = [{one.seed: one.test_accuracy for one in network.trained} for network in known]
        # test accuracy alone, (networks, seeds), NaN where a network was not trained with a seed; and its mean
        self.alone: Floats = np.array([[own.get(seed, np.nan) for seed in SEEDS] for own in by_seed])
        self.mean: Floats = np.nanmean(self.alone, axis=1)
        self.sure = np.flatnonzero(np.isfinite(self.alone).all(axis=1))  # trained alone with every seed

    @property
    def recipe(self) -> Recipe:
        """How networks are trained alone."""
        return replace(self.truth.recipe, epochs=None, steps=self.size.steps) if self.size.steps else self.truth.recipe

    @property
    def quarter(self) -> Recipe:
        """A quarter of the truth's steps."""
        steps = self.size.steps or self.truth.steps // 4
        return replace(self.truth.recipe, epochs=None, steps=steps, lr=self.size.finetune_lr)

    def keep(self, figures: Mapping[str, Any]) -> None:
        """Add figures and write the file."""
        self.result |= figures
        self._file.write_text(json.dumps(self.result, indent=2) + "\n")

    def once(self, table: str, key: str, work: Callable[[], Any]) -> Any:
        """A row of a table in the file; worked out where it is not there yet."""
        rows = self.result.setdefault(table, {})
        if key not in rows:
            rows[key] = work()
            self.keep({})
            print(table, key, rows[key] if isinstance(rows[key], float) else "", flush=True)
        return rows[key]

    def supernet(self, seed: int) -> Supernet:
        """A trained supernet; the first call trains it."""
        start, path = time.monotonic(), self._file.with_suffix(f".supernet{seed}.safetensors")
        begun = path.exists()
        supernet = train_supernet(
            self.space,
            self.dataset,
            self.size.supernet,
            seed=seed,
            device=self.device,
            checkpoint=path,
            progress=silent,
        )
        if not begun:
            self.keep({f"train_seconds_supernet{seed}": time.monotonic() - start})
        return supernet

    def evaluator(self, seed: int) -> SupernetEvaluator:
        """What scores networks with a supernet."""
        return SupernetEvaluator(self.supernet(seed), self.dataset)

    def blended(self, seed: int, dataset: Dataset | None = None) -> Blended:
        """The same with what a run draws its scores towards."""
        dataset, settings = dataset or self.dataset, self.settings.accuracy
        assert isinstance(settings, SupernetSettings)
        assert settings.blend is not None
        proxy = ProxyEvaluator(settings.blend, dataset, device=self.device)
        supernet, references = SupernetEvaluator(self.supernet(seed), dataset), anchors_of(self.space, REFERENCES)
        return Blended(supernet, proxy, references, share=settings.blend_share)
