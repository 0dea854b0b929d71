"""`Recipe`: how long and how a network is trained, and the learning rate that follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, assert_never

from nas.data import Augmentation
from nas.errors import InputError

EXPONENTIAL_END = 0.01  # share of the peak rate that the exponential schedule ends at

Schedule = Literal["cosine", "exponential"]
Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """SGD with Nesterov momentum; the rate rises linearly and then falls, a step at a time.

    Attributes:
        epochs: Passes over the training images.
        steps: Steps of the optimizer, instead of `epochs`; exactly one of both is given.
        batch: Images that go through the network at once, in each process.
        accumulate: Batches of which each step adds up the gradients, for images that do not fit in memory together.
        lr: Peak learning rate.
        schedule: How the rate falls: as a cosine to zero, or by the same factor each step to a hundredth of the peak.
        warmup: Share of all steps in which the rate rises.
        momentum: Nesterov momentum.
        weight_decay: Of convolution and linear weights; batch norm, biases and depthwise weights have none.
        label_smoothing: Share of each label spread over all classes.
        clip_norm: Largest norm of a step's gradient.
        ema: Decay of the exponential moving average of the weights, which are the result; 0 for none. It begins
            lower, as (1 + step) / (10 + step).
        precision: Of activations; `bf16` and `fp16` keep weights in float32. `fp16` needs CUDA.
        distill: Weight of the teacher's soft labels in the loss, where there is a teacher.
        augment: How images are varied.

    Raises:
        InputError: A value is out of range, or both or none of `epochs` and `steps` are given.
    """

    epochs: int | None = None
    steps: int | None = None
    batch: int = 64
    accumulate: int = 1
    lr: float = 0.2
    schedule: Schedule = "cosine"
    warmup: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    clip_norm: float = 5.0
    ema: float = 0.0
    precision: Precision = "fp32"
    distill: float = 0.5
    augment: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise InputError(f"epochs={self.epochs} and steps={self.steps}: give one of them and leave the other null")
        for name in ("epochs", "steps", "batch", "accumulate"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise InputError(f"{name}={count} must be at least 1")
        for name in ("lr", "clip_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}={getattr(self, name):g} must be above 0")
        for name in ("warmup", "label_smoothing", "distill"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name}={getattr(self, name):g} must lie between 0 and 1")
        for name in ("momentum", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name):g} must be at least 0 and below 1")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay={self.weight_decay:g} must be at least 0")

    def steps_of(self, per_epoch: int) -> int:
        """Steps in all.

        Args:
            per_epoch: Steps of one pass over the images.
        """
        return (self.epochs or 0) * per_epoch if self.steps is None else self.steps

    def lr_at(self, step: int, steps: int) -> float:
        """Learning rate of one step.

        Args:
            step: From 0.
            steps: Steps in all.

        >>> recipe = Recipe(epochs=1, lr=0.2, warmup=0.1)
        >>> [round(recipe.lr_at(step, 100), 3) for step in (0, 9, 54, 99)]
        [0.02, 0.2, 0.102, 0.0]
        >>> recipe = Recipe(epochs=1, lr=0.2, warmup=0.1, schedule="exponential")
        >>> [round(recipe.lr_at(step, 100), 3) for step in (0, 9, 54, 99)]
        [0.02, 0.2, 0.02, 0.002]
        """
        rising = max(1, round(self.warmup * steps))
        if step < rising:
            return self.lr * (step + 1) / rising
        match self.schedule:
            case "cosine":
                return self.lr * (1 + math.cos(math.pi * (step - rising + 1) / (steps - rising + 1))) / 2
            case "exponential":
                return self.lr * math.pow(EXPONENTIAL_END, (step - rising + 1) / (steps - rising))
            case _:
                assert_never(self.schedule)
