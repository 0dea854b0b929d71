"""The supernet, trained by uniform single-path sampling (arXiv 1904.00420): one random network of the space a step."""

from __future__ import annotations

import random
from pathlib import Path

from torch import Tensor
from torch.nn import functional

from nas.arch import digest
from nas.data import Dataset, to_input
from nas.net import Supernet, batch_statistics
from nas.progress import Progress, silent
from nas.space import SearchSpace, largest, uniform
from nas.training.loop import Job, train
from nas.training.recipe import Recipe


def train_supernet(
    space: SearchSpace,
    dataset: Dataset,
    recipe: Recipe,
    *,
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress = silent,
) -> Supernet:
    """Train a supernet; the same on a CPU for the same arguments, whether interrupted or not.

    Args:
        space: Its networks share the supernet's weights.
        dataset: Trained on its training split.
        recipe: How long and how.
        seed: Of first weights, order, augmentation and sampled networks.
        device: `cpu` or `cuda`.
        checkpoint: File to keep the state in after every epoch and to resume from.
        progress: Told of steps.

    Raises:
        InputError: Too few images for a batch, or a checkpoint of another training.
        TooManyFailuresError: The loss diverged.
    """
    supernet = Supernet(space.build(largest), seed=seed).to(device)

    def loss(raw: Tensor, labels: Tensor, rng: random.Random) -> Tensor:
        arch = space.build(uniform(rng))
        logits = supernet(to_input(raw, dataset, size_px=arch.size_px), arch, batch_statistics)
        return functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)

    train(
        Job(
            stage="supernet",
            module=supernet,
            loss=loss,
            dataset=dataset,
            recipe=recipe,
            seed=seed,
            device=device,
            identity=f"supernet {digest(supernet.arch)} {dataset.name} {len(dataset.train)} {recipe} {seed}",
            checkpoint=checkpoint,
            progress=progress,
        )
    )
    return supernet
