"""Fine-tuning one network, with a teacher where there is one."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from nas.arch import digest
from nas.data import Dataset, generator_of, to_input
from nas.net import Network
from nas.progress import Progress, silent
from nas.training.evaluation import accuracy
from nas.training.loop import Job, train
from nas.training.recalibration import recalibrated
from nas.training.recipe import Recipe

RECALIBRATION_IMAGES = 2048

Teacher = Callable[[Tensor], Tensor]  # normalised images (n, c, h, w) -> logits (n, classes)


def fine_tune(
    network: Network,
    dataset: Dataset,
    recipe: Recipe,
    *,
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress = silent,
    teacher: Teacher | None = None,
) -> Network:
    """Train a network further and return the better of before and after on the validation split.

    Both are compared, and the result is returned, with exact running statistics over training images.

    Args:
        network: Left as it is.
        dataset: Trained on its training split.
        recipe: How long and how.
        seed: Of order and augmentation.
        device: `cpu` or `cuda`.
        checkpoint: File to keep the state in after every epoch and to resume from.
        progress: Told of steps.
        teacher: Gives soft labels, weighted by `recipe.distill`.

    Raises:
        InputError: Too few images for a batch, or a checkpoint of another training.
        TooManyFailuresError: The loss diverged.
    """
    trained = copy.deepcopy(network).to(device).train()
    size_px = network.arch.size_px

    def loss(raw: Tensor, labels: Tensor, _rng: random.Random) -> Tensor:
        x = to_input(raw, dataset, size_px=size_px)
        logits = trained(x)
        hard = functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
        return hard if teacher is None else hard + recipe.distill * (soft_loss(logits, teacher, x) - hard)

    train(
        Job(
            stage="finetune",
            module=trained,
            loss=loss,
            dataset=dataset,
            recipe=recipe,
            seed=seed,
            device=device,
            identity=f"finetune {digest(network.arch)} {dataset.name} {len(dataset.train)} {recipe} {seed}",
            checkpoint=checkpoint,
            progress=progress,
        )
    )
    chosen = torch.randperm(len(dataset.train), generator=generator_of(seed, 0))[:RECALIBRATION_IMAGES]
    raw = torch.from_numpy(dataset.train.images[chosen.numpy()]).to(device)
    images = to_input(raw, dataset, size_px=size_px)
    candidates = [recalibrated(candidate.to(device), images) for candidate in (trained, copy.deepcopy(network))]
    return max(candidates, key=lambda candidate: accuracy(candidate, dataset.val, dataset))


def soft_loss(logits: Tensor, teacher: Teacher, x: Tensor) -> Tensor:
    """Cross-entropy with the teacher's probabilities."""
    with torch.no_grad():
        soft = functional.softmax(teacher(x), dim=1)
    return functional.cross_entropy(logits, soft)
