"""The truth that a supernet is held against: networks of a 32 px space, each trained alone on CIFAR-10, as JSON."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nas._config.compose import compose
from nas.arch import Arch, cost, digest
from nas.config import load
from nas.convert import build
from nas.files import read_json, write_json
from nas.latency.model import LatencyModel
from nas.settings import Settings
from nas.space import Choice, Choices, SearchSpace, record, replay
from nas.training import Recipe

TRUTH = Path(__file__).parent / "supernet_truth.json"
SPACE = "mobilenet_v3_32px"
TARGET = "amd_cpu"
IMAGE_CHANNELS, CLASSES = 3, 10
NETWORKS = 24
SEEDS = (0, 1)
RECIPE = Recipe(epochs=3)  # of 45,000 images in batches of 64: 2,109 steps
DRAWN = 20_000  # networks that those of the truth are chosen from
NEAR = 0.01  # a network of the truth is this near to its place on the latency range


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """One training of one network.

    Attributes:
        test_accuracy, val_accuracy: In [0, 1].
    """

    seed: int
    test_accuracy: float
    val_accuracy: float
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A network of the truth.

    Attributes:
        choices: The decisions that make it in the space.
        predicted_ms: By the table that the networks were spread with.
    """

    choices: dict[str, int | float | str]  # in this order: a number stays one when read back
    digest: str
    predicted_ms: float
    macs: int
    params: int
    trained: tuple[Trained, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """All of them, and how they were trained."""

    space: str
    target: str
    recipe: Recipe
    steps: int
    networks: tuple[Known, ...]

    def archs(self, space: SearchSpace) -> list[Arch]:
        """The networks, built again.

        Raises:
            InputError: The space is not the one they were drawn from.
        """
        return [space.build(replay(network.choices)) for network in self.networks]


def settings_of(space: str = SPACE, target: str = TARGET) -> Settings:
    """What the commands would be asked for."""
    return load(compose([f"+target={target}", f"space={space}"], multirun=False, config_dir=None))[0]


def space_of(settings: Settings) -> SearchSpace:
    """The space for CIFAR-10."""
    return settings.make_space(image_channels=IMAGE_CHANNELS, classes=CLASSES)


def read_truth(path: Path = TRUTH) -> Truth:
    """Read the truth.

    Raises:
        InputError: The file is missing or damaged.
    """
    return build(Truth, read_json(path), str(path))


def write_truth(path: Path, truth: Truth) -> None:
    """Write the truth, whole."""
    write_json(path, asdict(truth))


def spread(space: SearchSpace, model: LatencyModel, *, networks: int = NETWORKS, seed: int = 0) -> tuple[Known, ...]:
    """Random networks whose latencies lie at equal ratios over the space's range."""
    drawn = _drawn(space, random.Random(seed))
    priced = sorted(((model.arch_ms(arch), choices, arch) for arch, choices in drawn), key=lambda row: row[0])
    fast, slow = (
        priced[len(priced) // 200][0],
        priced[-len(priced) // 200][0],
    )  # the ends themselves are one network each
    rng, found = random.Random(seed + 1), dict[str, Known]()
    for i in range(networks):
        wanted_ms = fast * (slow / fast) ** (i / (networks - 1))
        near = [row for row in priced if abs(row[0] / wanted_ms - 1) < NEAR and digest(row[2]) not in found]
        ms, choices, arch = rng.choice(near) if near else min(priced, key=lambda row: abs(row[0] - wanted_ms))
        costs = cost(arch)
        known = Known(choices=choices, digest=digest(arch), predicted_ms=ms, macs=costs.macs, params=costs.params)
        found[known.digest] = known
    return tuple(found.values())


def _drawn(space: SearchSpace, rng: random.Random) -> list[tuple[Arch, Choices]]:
    """Different networks from the smallest to the largest: each draws its own leaning towards large options."""
    found: dict[str, tuple[Arch, Choices]] = {}
    for _ in range(DRAWN):
        leaning = rng.random()

        def choose(_name: str, options: Sequence[Choice], leaning: float = leaning) -> Choice:
            return options[sum(rng.random() < leaning for _ in range(len(options) - 1))]

        arch, choices = record(space, choose)
        found.setdefault(digest(arch), (arch, choices))
    return list(found.values())
