"""`Recipe`: how long and how a network is trained, and the learning rate that follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """SGD with Nesterov momentum; the rate rises linearly and falls as a cosine, a step at a time.

    Attributes:
        epochs: Passes over the training images.
        batch: Images a step.
        lr: Peak learning rate.
        warmup: Share of all steps in which the rate rises.
        momentum: Nesterov momentum.
        weight_decay: Of convolution and linear weights; batch norm, biases and depthwise weights have none.
        label_smoothing: Share of each label spread over all classes.
        clip_norm: Largest norm of a step's gradient.
        flip: Flip images left-right.
        shift_px: Largest shift of an image, pixels.
        distill: Weight of the teacher's soft labels in the loss, where there is a teacher.
    """

    epochs: int
    batch: int = 64
    lr: float = 0.2
    warmup: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    clip_norm: float = 5.0
    flip: bool = True
    shift_px: int = 2
    distill: float = 0.5

    def lr_at(self, step: int, steps: int) -> float:
        """Learning rate of one step.

        Args:
            step: From 0.
            steps: Steps in all.

        >>> recipe = Recipe(epochs=1, lr=0.2, warmup=0.1)
        >>> [round(recipe.lr_at(step, 100), 3) for step in (0, 9, 54, 99)]
        [0.02, 0.2, 0.102, 0.0]
        """
        rising = max(1, round(self.warmup * steps))
        if step < rising:
            return self.lr * (step + 1) / rising
        return self.lr * (1 + math.cos(math.pi * (step - rising + 1) / (steps - rising + 1))) / 2
