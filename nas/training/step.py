"""The one interface of a training step: a batch, and a function that adds the gradients of a loss.

A step computes one loss or several, hands each to `backward` as soon as it is known, so that only one network's
activations are in memory, and returns what is to be reported.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, kw_only=True, slots=True)
class StepInput:
    """What a step works on.

    Attributes:
        raw: Augmented images (n, h, w, c), uint8 or float in 0..255.
        targets: (n,) int64, or (n, classes) float where images are mixed.
        rng: Decides what is sampled; the same for all batches and processes of one optimizer step.
        done: Share of the training's steps taken.
    """

    raw: Tensor
    targets: Tensor
    rng: random.Random
    done: float


Backward = Callable[[Tensor], None]
Step = Callable[[StepInput, Backward], Tensor]  # returns the loss, detached


def loss_of(logits: Tensor, targets: Tensor, *, label_smoothing: float, soft: Tensor | None, distill: float) -> Tensor:
    """Cross-entropy with the labels and, weighted by `distill`, with a teacher's probabilities.

    Args:
        logits: (n, classes), of any precision.
        targets: (n,) or (n, classes).
        label_smoothing: Share of each label spread over all classes.
        soft: The teacher's logits (n, classes); None without a teacher.
        distill: Weight of the teacher.
    """
    hard = functional.cross_entropy(logits.float(), targets, label_smoothing=label_smoothing)
    if soft is None:
        return hard
    told = functional.cross_entropy(logits.float(), torch.softmax(soft.detach().float(), dim=1))
    return hard + distill * (told - hard)
