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
TARGET = "intel_cpu"
IMAGE_CHANNELS, CLASSES = 3, 10
NETWORKS = 48
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


def spread(
    space: SearchSpace, model: LatencyModel, *, networks: int = NETWORKS, known: Sequence[Known] = ()
) -> tuple[Known, ...]:
    """Random networks, other than the known ones, whose latencies lie at equal ratios over the space's range."""
    seed, taken = len(known), {network.digest for network in known}
    drawn = drawn_members(space, random.Random(seed))
    priced = [
        Known(
            choices=choices,
            digest=name,
            predicted_ms=model.arch_ms(arch),
            macs=cost(arch).macs,
            params=cost(arch).params,
        )
        for name, (arch, choices) in drawn.items()
    ]
    priced.sort(key=lambda one: one.predicted_ms)
    # the ends themselves are one network each
    fast_ms, slow_ms = (priced[place].predicted_ms for place in (len(priced) // 200, -len(priced) // 200))
    rng, found = random.Random(seed + 1), list[Known]()
    for i in range(networks):
        wanted_ms = fast_ms * (slow_ms / fast_ms) ** (i / max(1, networks - 1))
        free = [one for one in priced if one.digest not in taken]
        near = [one for one in free if abs(one.predicted_ms / wanted_ms - 1) < NEAR]
        found.append(rng.choice(near) if near else min(free, key=lambda one: abs(one.predicted_ms - wanted_ms)))
        taken.add(found[-1].digest)
    return tuple(found)


def drawn_members(space: SearchSpace, rng: random.Random) -> dict[str, tuple[Arch, Choices]]:
    """By digest, different networks from the smallest to the largest: each draws its own leaning to large options."""
    found: dict[str, tuple[Arch, Choices]] = {}
    for _ in range(DRAWN):
        leaning = rng.random()

        def choose(_name: str, options: Sequence[Choice], leaning: float = leaning) -> Choice:
            return options[sum(rng.random() < leaning for _ in range(len(options) - 1))]

        arch, choices = record(space, choose)
        found.setdefault(digest(arch), (arch, choices))
    return found
