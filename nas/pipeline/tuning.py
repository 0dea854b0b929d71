"""A network trained by the recipe of `finetune`, as a stage of a run."""

from __future__ import annotations

from pathlib import Path

from nas.net import Network
from nas.pipeline.context import Context
from nas.training import Teacher, fine_tune


def fine_tuned(
    ctx: Context, start: Network, *, checkpoint: Path, stage: str = "finetune", teacher: Teacher | None = None
) -> Network:
    """Train a network; the same call goes on from its checkpoint.

    Args:
        ctx: The run.
        start: What the training begins with; left as it is.
        checkpoint: Where the state is kept; to be discarded once the result is.
        stage: What the time is booked on.
        teacher: Gives soft labels.

    Raises:
        InputError: Too few images for a batch, or a checkpoint of another training.
        StorageError: The checkpoint cannot be written.
        TooManyFailuresError: The loss diverged.
    """
    with ctx.run.timed(stage, ctx.progress) as progress:
        return fine_tune(
            start,
            ctx.dataset,
            ctx.settings.finetune,
            seed=ctx.settings.seed,
            device=ctx.device,
            checkpoint=checkpoint,
            progress=lambda _stage, done, total, note: progress(stage, done, total, note),
            teacher=teacher,
        )
