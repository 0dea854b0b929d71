"""What the parts of `benchmark_trim.py` share: the networks, the data, prices, timings, and what was found so far."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from cifar import CLASSES, load_cifar
from medians import medians_ms
from supernet_truth import settings_of

from nas.arch import Arch, from_json, to_json
from nas.data import Dataset
from nas.files import write_json, write_whole
from nas.latency.measure import MeasurePlan, extend, measure_space, model_of, space_key
from nas.latency.model import LatencyModel
from nas.latency.table import load_table, save_table
from nas.net import Network, load_network, save_network
from nas.netadapt import TrimSettings, Weighing, WidthSpace, narrowest
from nas.progress import silent
from nas.training import Recipe, accuracy, discard, fine_tune
from search_spaces.mobilenet_v2 import mobilenet_v2
from search_spaces.mobilenet_v3_designs import mobilenet_v3_small

RATIOS = (0.75, 0.6, 0.5)
GRAIN = 16  # where the target's file and its table say nothing
SEED = 0
TABLES = 3  # times that a table is measured whose proof is poor
SESSIONS = 5  # in which a network is timed whose latency is held against its budget


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is done.

    Attributes:
        images: Of the training images, the first so many.
        base: How the networks to trim are trained.
        tune: How trimmed and pruned ones are trained further.
        networks: What is trimmed, by name.
        trim: How.
        choice: How a network is trained further where ways of choosing moves are compared.
        scored: Validation images that proposals are scored on.
        rounds: Timed runs of each network where methods are compared, at least;
        runs: and of all of them together.
    """

    images: int | None
    base: Recipe
    tune: Recipe
    networks: Mapping[str, Callable[..., Arch]]
    trim: TrimSettings
    choice: Recipe
    scored: int = 1000
    plan: MeasurePlan | None = None
    rounds: int = 150
    runs: int = 12_000


SMALL = Size(
    images=20_000,
    base=Recipe(epochs=10),
    tune=Recipe(epochs=7, lr=0.1),
    networks={
        "mobilenet_v2": partial(mobilenet_v2, width=0.5, total_stride=16),
        "mobilenet_v3_small": partial(mobilenet_v3_small, total_stride=16),
    },
    trim=TrimSettings(shortlist=4, importance=Weighing.TAYLOR),
    choice=Recipe(epochs=3, lr=0.1),
)
FULL = Size(
    images=None,
    base=Recipe(epochs=100),
    tune=Recipe(epochs=40, lr=0.1),
    networks={
        "mobilenet_v2": partial(mobilenet_v2, total_stride=8),
        "mobilenet_v3_small": partial(mobilenet_v3_small, total_stride=8),
    },
    trim=TrimSettings(importance=Weighing.TAYLOR, tune_top=2, tune_steps=100),
    choice=Recipe(epochs=40, lr=0.1),
)
QUICK = replace(
    SMALL,
    base=Recipe(steps=30),
    tune=Recipe(steps=10),
    choice=Recipe(steps=10),
    trim=TrimSettings(shortlist=2, step=0.05),
    scored=200,
    plan=MeasurePlan(networks=24, anchors=4, heldout=4, rounds=8, profile_runs=4, seconds=5),
    rounds=15,
    runs=100,
)
SIZES = {"small": SMALL, "full": FULL, "quick": QUICK}


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """What a process needs to know to take part."""

    size: str
    file: Path
    cache: Path | None
    device: str
    target: str


class Bench:
    """The benchmark at work; several processes may each have one. Only the first writes the file of results."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.size = setup, SIZES[setup.size]
        self.folder = setup.file.with_suffix("")
        self.result: dict[str, Any] = json.loads(setup.file.read_text()) if setup.file.exists() else {}
        self.settings = settings_of(target=setup.target)
        self._models: dict[str, LatencyModel] = {}
        self._dataset: Dataset | None = None

    @property
    def dataset(self) -> Dataset:
        """CIFAR-10, or the part of it that this size trains on."""
        self._dataset = self._dataset or load_cifar(self.setup.cache, train=self.size.images)
        return self._dataset

    def keep(self, figures: Mapping[str, Any]) -> None:
        """Add figures and write the file."""
        self.result |= figures
        write_json(self.setup.file, self.result)

    def once(self, table: str, key: str, work: Callable[[], Any]) -> Any:
        """A row of a table in the file; worked out where it is not there yet."""
        rows = self.result.setdefault(table, {})
        if key not in rows:
            rows[key] = work()
            self.keep({})
        return rows[key]

    def arch(self, name: str) -> Arch:
        """A network before trimming."""
        return self.size.networks[name](size_px=32, image_channels=3, classes=len(CLASSES))

    def model(self, name: str) -> LatencyModel:
        """What a network and its narrower forms take, by a table measured in this run."""
        if name not in self._models:
            space = WidthSpace(arch=self.arch(name), name=name, grain=self.grain)
            path = self.folder / name / "table.json"
            if not path.exists():
                plan = self.size.plan or self.settings.latency
                for attempt in range(TABLES):
                    table = measure_space(
                        space, self.settings.target, plan, known=None, seed=SEED + attempt, progress=silent
                    )
                    if table.calibrations[space_key(space)].proof.good:
                        break
                ends = narrowest(space.arch, grain=self.grain)
                save_table(path, extend(table, ends, plan, seed=SEED, progress=silent))
            model = model_of(load_table(path, target=self.settings.target, host=None), space)
            self._models[name] = replace(model, most_sd=math.inf)  # nothing is measured while jobs run
        return self._models[name]

    @property
    def grain(self) -> int:
        """Of channels, on this target."""
        return self.settings.target.grain or GRAIN

    def measured_ms(self, archs: Sequence[Arch], *, rounds: int | None = None, sessions: int = 1) -> list[float]:
        """Medians of networks that are timed in turn, for seconds: a core's speed changes in tenths of one."""
        rounds = rounds or max(self.size.rounds, self.size.runs // len(archs))
        return medians_ms(self.settings.target, archs, rounds=rounds, sessions=sessions)

    def save(self, name: str, key: str, network: Network) -> None:
        """Keep a network of a case."""
        write_whole(self._path(name, key, "json"), to_json(network.arch))
        save_network(self._path(name, key, "safetensors"), network.to("cpu").eval())

    def load(self, name: str, key: str) -> Network:
        """Read it back."""
        network = load_network(self._path(name, key, "json"), self._path(name, key, "safetensors"))
        return network.to(self.setup.device)

    def saved_arch(self, name: str, key: str) -> Arch:
        """Its architecture."""
        return from_json(self._path(name, key, "json").read_text())

    def trained(self, name: str, key: str, network: Network, recipe: Recipe) -> dict[str, float]:
        """Train a network, keep it, and tell how good it is and how long that took."""
        start, checkpoint = time.monotonic(), self._path(name, f"{key}.part", "safetensors")
        network = fine_tune(network, self.dataset, recipe, seed=SEED, device=self.setup.device, checkpoint=checkpoint)
        self.save(name, key, network)
        discard(checkpoint)
        seconds = time.monotonic() - start
        return {"seconds": seconds, "accuracy": self.accuracy(network)}

    def accuracy(self, network: Network) -> float:
        """On the test images."""
        return accuracy(network, self.dataset.test, self.dataset)

    def _path(self, name: str, key: str, suffix: str) -> Path:
        path = self.folder / name / f"{key}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def worker(setup: Setup) -> Bench:
    """The benchmark in a process of its own, on one thread."""
    torch.set_num_threads(1)
    return Bench(setup)
