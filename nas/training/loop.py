"""The one training loop: steps, schedule, skipped failures, checkpoints. All randomness follows from (seed, epoch)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from nas.data import Dataset, augment, batches, generator_of, on_device
from nas.errors import InputError, TooManyFailuresError
from nas.net import Network, Supernet
from nas.progress import Progress
from nas.training.checkpoint import load_checkpoint, save_checkpoint
from nas.training.recipe import Recipe

MAX_FAILURES = 10  # non-finite losses in a row
REPORT_EVERY = 10  # steps

Loss = Callable[[Tensor, Tensor, random.Random], Tensor]  # raw images (n, h, w, c), labels (n,), rng -> loss


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is trained, on what and how.

    Attributes:
        stage: Name in progress reports.
        module: Trained in place.
        loss: Loss of one batch of augmented raw images.
        identity: Names the training in its checkpoint: equal when all its inputs are.
        checkpoint: Where the state is kept after every epoch; None to keep none.
    """

    stage: str
    module: Network | Supernet
    loss: Loss
    dataset: Dataset
    recipe: Recipe
    seed: int
    device: str
    identity: str
    checkpoint: Path | None
    progress: Progress


def train(job: Job) -> None:
    """Train a module in place, from its checkpoint on where there is one.

    Raises:
        InputError: There are fewer training images than a batch has, or the checkpoint is damaged or another's.
        TooManyFailuresError: The loss was not finite ten times in a row.
    """
    recipe = job.recipe
    data = on_device(job.dataset.train, job.device)
    per_epoch = len(job.dataset.train) // recipe.batch
    if per_epoch == 0:
        raise InputError(f"{len(job.dataset.train)} training images are fewer than a batch of {recipe.batch}")
    optimizer = _optimizer(job.module, recipe)
    done = 0
    if job.checkpoint and job.checkpoint.exists():
        done = load_checkpoint(job.checkpoint, job.module, optimizer, identity=job.identity)
    failures = 0
    for epoch in range(done, recipe.epochs):
        generator, rng = generator_of(job.seed + 1, epoch), random.Random(f"{job.seed} {epoch}")
        for i, (raw, labels) in enumerate(batches(data, batch=recipe.batch, seed=job.seed, epoch=epoch)):
            step, steps = epoch * per_epoch + i, recipe.epochs * per_epoch
            for group in optimizer.param_groups:
                group["lr"] = recipe.lr_at(step, steps)
            varied = augment(raw, flip=recipe.flip, shift_px=recipe.shift_px, generator=generator)
            loss = job.loss(varied, labels, rng)
            failures = 0 if _step(job, optimizer, loss) else failures + 1
            if failures >= MAX_FAILURES:
                raise TooManyFailuresError(
                    f"{job.stage}: the loss is not finite {failures} times in a row; lower lr={recipe.lr:g}"
                )
            if (step + 1) % REPORT_EVERY == 0 or step + 1 == steps:
                job.progress(job.stage, step + 1, steps, f"loss {loss.item():.2f}")
        if job.checkpoint:
            save_checkpoint(job.checkpoint, job.module, optimizer, epochs=epoch + 1, identity=job.identity)


def _step(job: Job, optimizer: torch.optim.Optimizer, loss: Tensor) -> bool:
    """Take a step; without effect, and False, when the loss or its gradient is not finite."""
    optimizer.zero_grad(set_to_none=True)
    if not torch.isfinite(loss):
        return False
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(job.module.parameters(), job.recipe.clip_norm)
    if not torch.isfinite(norm):
        return False
    optimizer.step()
    return True


def _optimizer(module: Network | Supernet, recipe: Recipe) -> torch.optim.SGD:
    """SGD whose weight decay spares batch norm, biases and depthwise weights."""
    ops = zip(module.arch.layers, module.arch.ops(), strict=True)
    spared = {f"{layer.name}.weight" for layer, op in ops if op.depthwise}
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        (free if parameter.dim() == 1 or name in spared else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=True)
