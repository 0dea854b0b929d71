"""The supernet's training: its strategy, where it starts from, and what makes it the same training."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nas.arch import digest
from nas.data import Dataset
from nas.net import Supernet
from nas.progress import Progress, silent
from nas.space import SearchSpace, decisions
from nas.training.distributed import batch_norm
from nas.training.loop import Job, train
from nas.training.recipe import Recipe
from nas.training.starting import start_from
from nas.training.strategies import Paths, SinglePath, Strategy, step_of

SINGLE_PATH = SinglePath()


def train_supernet(
    space: SearchSpace,
    dataset: Dataset,
    recipe: Recipe,
    *,
    strategy: Strategy = SINGLE_PATH,
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress = silent,
    init: Path | None = None,
) -> Supernet:
    """Train a supernet; the same on a CPU for the same arguments, whether interrupted or not.

    Args:
        space: Its networks share the supernet's weights.
        dataset: Trained on its training split.
        recipe: How long and how.
        strategy: Which networks a step trains.
        seed: Of first weights, order, augmentation and sampled networks.
        device: `cpu` or `cuda`.
        checkpoint: File to keep the state in after every epoch and every five minutes, and to resume from.
        progress: Told of steps.
        init: A safetensors file of starting weights, as a training of this space leaves one.

    Raises:
        InputError: Too few images for a batch, a checkpoint of another training, or weights of another space.
        StorageError: The checkpoint cannot be written.
        TooManyFailuresError: The loss diverged.
    """
    job = supernet_job(
        space,
        dataset,
        recipe,
        strategy=strategy,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
        progress=progress,
        init=init,
    )
    train(job)
    assert isinstance(job.module, Supernet)
    return job.module


def supernet_job(
    space: SearchSpace,
    dataset: Dataset,
    recipe: Recipe,
    *,
    strategy: Strategy = SINGLE_PATH,
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress = silent,
    init: Path | None = None,
) -> Job:
    """What `train_supernet` trains; arguments and errors are its."""
    supernet = Supernet.of(space, seed=seed)
    started = f" from {start_from(supernet, init)}" if init else ""
    supernet.to(device)
    paths = Paths(space=space, supernet=supernet, dataset=dataset, recipe=recipe, norm=batch_norm())
    choices = hashlib.sha256(repr(decisions(space)).encode()).hexdigest()[:12]
    networks = " ".join(map(digest, supernet.archs))
    what = f"{networks} {choices} {dataset.name} {len(dataset.train)}"
    return Job(
        stage="supernet",
        module=supernet,
        step=step_of(strategy, paths),
        dataset=dataset,
        recipe=recipe,
        seed=seed,
        device=device,
        identity=f"supernet {what} {recipe} {strategy} {seed}{started}",
        checkpoint=checkpoint,
        progress=progress,
    )
