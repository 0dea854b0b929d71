"""Which networks of a space a step of the supernet trains: a random one, or the sandwich."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import assert_never

from torch import Tensor

from nas.arch import Arch, cost
from nas.data import Dataset, to_input
from nas.errors import InputError
from nas.net import Norm, Supernet
from nas.space import SearchSpace, smallest, uniform
from nas.training.recipe import Recipe
from nas.training.step import Backward, Step, StepInput, loss_of


@dataclass(frozen=True, kw_only=True, slots=True)
class SinglePath:
    """One random network a step (SPOS, arXiv 1904.00420): most updates in the time, so for small budgets.

    On two cores and 8,000 CIFAR images it left the sandwich 12 points behind in the same time. Of networks drawn
    uniformly few are large, and weights that only large ones have are trained least: after 10 epochs 24 networks of
    scripts/supernet_truth.json lie -2.0 (large) to +4.3 points (small) off what they reach alone; where the largest of
    two or three is trained, -1.2 to +4.1 and -1.0 to +3.5.

    Attributes:
        largest_of: Networks drawn a step, each choice uniform; the one with most multiply-accumulates is trained.

    Raises:
        InputError: The count is below 1.
    """

    largest_of: int = 3

    def __post_init__(self) -> None:
        if self.largest_of < 1:
            raise InputError(f"largest_of={self.largest_of} must be at least 1")

    def draw(self, space: SearchSpace, rng: Random) -> Arch:
        """The network that a step trains."""
        drawn = [space.build(uniform(rng)) for _ in range(self.largest_of)]
        return max(drawn, key=lambda arch: cost(arch).macs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandwich:
    """The largest, the smallest and random networks in each step (US-Nets, arXiv 1903.05134), for thousands of steps.

    The others learn from the largest in the same step (in-place distillation) once it is worth it: from a fixed share
    of the steps on. Distilling from the start cost 7 points; a fixed share, unlike a measured accuracy, leaves a
    training that is resumed the same.

    Attributes:
        random_paths: Random networks a step.
        distill_from: Share of the steps after which the others learn from the largest; 1 for never.

    Raises:
        InputError: A value is out of range.
    """

    random_paths: int = 2
    distill_from: float = 0.5

    def __post_init__(self) -> None:
        if self.random_paths < 0:
            raise InputError(f"random_paths={self.random_paths} must be at least 0")
        if not 0 <= self.distill_from <= 1:
            raise InputError(f"distill_from={self.distill_from:g} must lie between 0 and 1")


Strategy = SinglePath | Sandwich


@dataclass(frozen=True, kw_only=True, slots=True)
class Paths:
    """A supernet and what its networks are trained on.

    Attributes:
        norm: Whose batch statistics a network normalises with.
    """

    space: SearchSpace
    supernet: Supernet
    dataset: Dataset
    recipe: Recipe
    norm: Norm

    def logits(self, arch: Arch, given: StepInput) -> Tensor:
        """What a network of the space says of a batch, resized to the network's own resolution."""
        x = to_input(given.raw, self.dataset, size_px=arch.size_px)
        logits: Tensor = self.supernet(x, arch, self.norm)
        return logits

    def loss(self, logits: Tensor, given: StepInput, soft: Tensor | None = None) -> Tensor:
        """The loss of a network, with a teacher's logits or without."""
        recipe = self.recipe
        return loss_of(logits, given.targets, label_smoothing=recipe.label_smoothing, soft=soft, distill=recipe.distill)


def step_of(strategy: Strategy, paths: Paths) -> Step:
    """The training step that a strategy stands for."""
    match strategy:
        case SinglePath():
            return single_path(paths, strategy)
        case Sandwich():
            return sandwich(paths, strategy)
        case _:
            assert_never(strategy)


def single_path(paths: Paths, settings: SinglePath) -> Step:
    """Train one random network a step, the largest of some."""

    def step(given: StepInput, backward: Backward) -> Tensor:
        loss = paths.loss(paths.logits(settings.draw(paths.space, given.rng), given), given)
        backward(loss)
        return loss.detach()

    return step


def sandwich(paths: Paths, settings: Sandwich) -> Step:
    """Train the largest, the smallest and random networks; the gradient is the mean of theirs."""
    space, count = paths.space, settings.random_paths + 2
    least = space.build(smallest)

    def step(given: StepInput, backward: Backward) -> Tensor:
        taught = paths.logits(paths.supernet.arch, given)
        total = _share(paths.loss(taught, given), count, backward)
        soft = taught.detach() if given.done >= settings.distill_from < 1 else None
        del taught
        for arch in (least, *(space.build(uniform(given.rng)) for _ in range(settings.random_paths))):
            total = total + _share(paths.loss(paths.logits(arch, given), given, soft), count, backward)
        return total

    return step


def _share(loss: Tensor, count: int, backward: Callable[[Tensor], None]) -> Tensor:
    part = loss / count
    backward(part)
    return part.detach()
