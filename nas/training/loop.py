"""The one training loop: steps, schedule, skipped failures, checkpoints. All randomness follows from (seed, step)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from nas.data import Dataset, Loader, augmented, generator_of
from nas.errors import InputError, TooManyFailuresError
from nas.net import Network, Supernet
from nas.progress import Progress
from nas.training import checkpoint, distributed
from nas.training.checkpoint import Mark, Trained
from nas.training.memory import keep_freed_memory
from nas.training.optimizer import Ema, make_optimizer
from nas.training.precision import Scaling
from nas.training.recipe import Recipe
from nas.training.step import Step, StepInput

MAX_FAILURES = 10  # steps skipped in a row
REPORT_EVERY = 10  # steps
SAVE_EVERY_S = 300.0  # where an epoch takes longer

AfterEpoch = Callable[[int], bool]  # epochs done -> whether to stop there


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is trained, on what and how.

    Attributes:
        stage: Name in progress reports.
        module: Trained in place.
        step: Adds the gradients of a batch.
        identity: Names the training in its checkpoint: equal when all its inputs are.
        checkpoint: Where the state is kept, every epoch and every five minutes; None to keep none.
        after_epoch: Asked after every epoch whether to stop there.
    """

    stage: str
    module: Network | Supernet
    step: Step
    dataset: Dataset
    recipe: Recipe
    seed: int
    device: str
    identity: str
    checkpoint: Path | None
    progress: Progress
    after_epoch: AfterEpoch | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How fast a training went, from its second step on.

    Attributes:
        images: Images trained on, by all processes.
        seconds: Wall time.
        waited_s: The part in which batches were waited for.
    """

    images: int
    seconds: float
    waited_s: float

    @property
    def images_per_s(self) -> float:
        """Images a second."""
        return self.images / self.seconds if self.seconds else 0.0

    @property
    def waiting_share(self) -> float:
        """Share of the time in which batches were waited for."""
        return self.waited_s / self.seconds if self.seconds else 0.0


def train(job: Job) -> Pace:
    """Train a module in place, from its checkpoint on where there is one.

    Raises:
        InputError: There are fewer training images than a step needs, the checkpoint is damaged or another's, or the
            device does not know the precision.
        StorageError: The checkpoint cannot be written.
        TooManyFailuresError: The loss was not finite ten times in a row.
    """
    keep_freed_memory()
    return _Training(job).run()


class _Training:
    """One training at work."""

    def __init__(self, job: Job) -> None:
        recipe = job.recipe
        self._job, self._ranks = job, distributed.ranks()
        self._per_step = recipe.batch * recipe.accumulate  # images of this process
        self._per_epoch = len(job.dataset.train) // (self._per_step * self._ranks.world)  # steps
        if self._per_epoch == 0:
            asked = f"a batch of {recipe.batch}"
            if self._per_step * self._ranks.world > recipe.batch:
                asked = f"{recipe.accumulate} x {self._ranks.world} batches of {recipe.batch}"
            raise InputError(f"{len(job.dataset.train)} training images are fewer than {asked}; lower batch")
        self._steps = recipe.steps_of(self._per_epoch)
        self._scaling = Scaling(recipe.precision, job.device)
        self._parameters = list(job.module.parameters())
        self._optimizer = make_optimizer(job.module, recipe)
        self._trained = Trained(module=job.module, optimizer=self._optimizer, ema=Ema(job.module, recipe.ema))
        self._mark = self._resumed()
        self._saved_at = self._began = time.monotonic()
        self._waited_s, self._warm_at = 0.0, self._mark.step + 1

    def run(self) -> Pace:
        """Take all steps that are left."""
        if not self._mark.finished:
            loader = Loader(self._job.dataset.train, self._job.device)
            stopped = False
            while self._mark.step < self._steps and not stopped:
                stopped = self._epoch(loader)
            self._mark = replace(self._mark, finished=True)
            self._save()
        self._trained.ema.settle()
        return self._pace()

    def _epoch(self, loader: Loader) -> bool:
        """Take the steps that are left of an epoch; whether to stop after it."""
        job, ranks = self._job, self._ranks
        epoch, skip = divmod(self._mark.step, self._per_epoch)
        left = min(self._per_epoch - skip, self._steps - self._mark.step)
        batches = loader.batches(
            batch=self._per_step, seed=job.seed, epoch=epoch, skip=skip, rank=ranks.rank, world=ranks.world
        )
        for _ in range(left):
            waiting = time.monotonic()
            raw, labels = next(batches)
            self._waited_s += time.monotonic() - waiting
            self._report(self._step(raw, labels))
            if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
                self._save()
        whole = self._mark.step % self._per_epoch == 0
        if whole and self._mark.step < self._steps:
            self._save()
        return bool(whole and job.after_epoch and job.after_epoch(epoch + 1))

    def _step(self, raw: Tensor, labels: Tensor) -> Tensor:
        """Take one step; without effect, but that the rate is halved, when the loss or its gradient is not finite."""
        job, recipe, mark = self._job, self._job.recipe, self._mark
        for group in self._optimizer.param_groups:
            group["lr"] = recipe.lr_at(mark.step, self._steps) * mark.lr_scale
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._add_gradients(raw, labels)
        if self._ranks.world > 1:
            loss = distributed.average(self._parameters, loss)
        self._scaling.unscale(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self._parameters, recipe.clip_norm)
        finite = bool(torch.isfinite(norm + loss))
        excused = not finite and self._scaling.may_overflow() and bool(torch.isfinite(loss))
        self._scaling.step(self._optimizer, finite=finite)
        if finite:
            self._trained.ema.follow(mark.step)
        self._mark = self._marked(failed=not (finite or excused))
        if self._mark.failures >= MAX_FAILURES:
            raise TooManyFailuresError(
                f"{job.stage}: the loss is not finite {MAX_FAILURES} times in a row, although the learning rate was "
                f"halved each time; lower lr={recipe.lr:g}"
            )
        return loss

    def _add_gradients(self, raw: Tensor, labels: Tensor) -> Tensor:
        """Vary a step's images, and add the gradients of its batches; the mean loss."""
        job, recipe, step = self._job, self._job.recipe, self._mark.step
        varied, targets = augmented(
            raw,
            labels,
            recipe.augment,
            classes=len(job.dataset.classes),
            generator=generator_of(job.seed + 1, step),
            rank=self._ranks.rank,
            world=self._ranks.world,
        )
        total = torch.zeros((), device=job.device)
        for images, wanted in zip(torch.split(varied, recipe.batch), torch.split(targets, recipe.batch), strict=True):
            given = StepInput(
                raw=images, targets=wanted, rng=random.Random(f"{job.seed} {step}"), done=step / self._steps
            )
            with self._scaling.autocast():
                loss = job.step(given, lambda loss: self._scaling.backward(loss / recipe.accumulate))
            total += loss / recipe.accumulate
        return total

    def _marked(self, *, failed: bool) -> Mark:
        mark = self._mark
        return replace(
            mark,
            step=mark.step + 1,
            failures=mark.failures + 1 if failed else 0,
            lr_scale=mark.lr_scale / 2 if failed else mark.lr_scale,
        )

    def _resumed(self) -> Mark:
        """Where the training stands: in every process where the first one's checkpoint says."""
        job, world = self._job, self._ranks.world
        content = None
        if job.checkpoint and self._ranks.first:
            content = checkpoint.read(job.checkpoint, identity=job.identity)
        content = distributed.from_first(content, job.device)
        if content is None:
            return Mark(world=world)
        mark = checkpoint.restore(content, self._trained, where=str(job.checkpoint))
        if mark.world != world and not mark.finished:
            raise InputError(
                f"checkpoint {job.checkpoint} was begun by {mark.world} processes, here are {world}; "
                f"go on with --nproc_per_node={mark.world}, or delete it"
            )
        self._scaling.restore(mark.scaling)
        return mark

    def _save(self) -> None:
        job = self._job
        if job.checkpoint and self._ranks.first:
            mark = replace(self._mark, scaling=self._scaling.state())
            checkpoint.save(job.checkpoint, self._trained, mark, identity=job.identity)
        self._saved_at = time.monotonic()

    def _report(self, loss: Tensor) -> None:
        step, halved = self._mark.step, self._mark.lr_scale
        if step == self._warm_at:  # the first step also loads and warms up what all need
            self._began, self._waited_s = time.monotonic(), 0.0
        if self._ranks.first and (step % REPORT_EVERY == 0 or step == self._steps):
            notes = [f"loss {loss.item():.2f}", f"{self._pace().images_per_s:.0f} images/s"]
            notes += [f"rate x {halved:g} after steps without a finite loss"] * (halved < 1)
            self._job.progress(self._job.stage, step, self._steps, ", ".join(notes))

    def _pace(self) -> Pace:
        steps = max(0, self._mark.step - self._warm_at)
        return Pace(
            images=steps * self._per_step * self._ranks.world,
            seconds=time.monotonic() - self._began,
            waited_s=self._waited_s,
        )
