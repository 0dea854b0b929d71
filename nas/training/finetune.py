"""Training one network, with a teacher where there is one: fine-tuning, and from scratch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from nas.arch import digest
from nas.data import Dataset, Loader, drawn, to_input
from nas.net import Network, run
from nas.progress import Progress, silent
from nas.training.distributed import ranks, synchronised
from nas.training.evaluation import accuracy
from nas.training.loop import Job, train
from nas.training.recalibration import recalibrated
from nas.training.recipe import Recipe
from nas.training.step import Backward, Step, StepInput, loss_of

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
    after_epoch: Callable[[int, Network], bool] | None = None,
) -> Network:
    """Train a network further and return the better of before and after on the validation split.

    Both are compared, and the result is returned, with exact running statistics over training images.

    Args:
        network: Left as it is; a fresh one is trained from scratch.
        dataset: Trained on its training split.
        recipe: How long and how.
        seed: Of order and augmentation.
        device: `cpu` or `cuda`.
        checkpoint: File to keep the state in after every epoch and every five minutes, and to resume from.
        progress: Told of steps.
        teacher: Gives soft labels, weighted by `recipe.distill`. A `Network` is given images of its own resolution, in
            evaluation mode; any other teacher those that the network is given.
        after_epoch: Given epochs done and the network in training, in training mode and with the weights of the last
            step; True stops the training there.

    Raises:
        InputError: Too few images for a batch, or a checkpoint of another training.
        StorageError: The checkpoint cannot be written.
        TooManyFailuresError: The loss diverged.
    """
    job = tuning_job(
        network,
        dataset,
        recipe,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
        progress=progress,
        teacher=teacher,
        after_epoch=after_epoch,
    )
    train(job)
    assert isinstance(job.module, Network)
    chosen = drawn(dataset.train, RECALIBRATION_IMAGES, seed=seed)
    raw = torch.from_numpy(dataset.train.take(chosen)).to(device)
    images = to_input(raw, dataset, size_px=network.arch.size_px)
    candidates = [recalibrated(candidate.to(device), images) for candidate in (job.module, copy.deepcopy(network))]
    val = Loader(dataset.val, device)
    return max(candidates, key=lambda candidate: accuracy(candidate, val, dataset))


def tuning_job(
    network: Network,
    dataset: Dataset,
    recipe: Recipe,
    *,
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress = silent,
    teacher: Teacher | None = None,
    after_epoch: Callable[[int, Network], bool] | None = None,
) -> Job:
    """What `fine_tune` trains, a copy of the network; arguments and errors are its."""
    trained = copy.deepcopy(network).to(device).train()
    return Job(
        stage="finetune",
        module=trained,
        step=_step_of(trained, dataset, recipe, teacher),
        dataset=dataset,
        recipe=recipe,
        seed=seed,
        device=device,
        identity=f"finetune {digest(network.arch)} {dataset.name} {len(dataset.train)} {recipe} {seed}",
        checkpoint=checkpoint,
        progress=progress,
        after_epoch=(lambda epochs: after_epoch(epochs, trained)) if after_epoch else None,
    )


def _step_of(network: Network, dataset: Dataset, recipe: Recipe, teacher: Teacher | None) -> Step:
    """Train the network on each batch."""
    size_px, alone = network.arch.size_px, ranks().world == 1
    teacher_px = teacher.arch.size_px if isinstance(teacher, Network) else size_px

    def step(given: StepInput, backward: Backward) -> Tensor:
        x, soft = to_input(given.raw, dataset, size_px=size_px), None
        if teacher is not None:
            with torch.no_grad():
                soft = teacher(x if teacher_px == size_px else to_input(given.raw, dataset, size_px=teacher_px))
        logits = network(x) if alone else run(network.arch, network.tensors(), x, synchronised)
        loss = loss_of(logits, given.targets, label_smoothing=recipe.label_smoothing, soft=soft, distill=recipe.distill)
        backward(loss)
        return loss.detach()

    return step
