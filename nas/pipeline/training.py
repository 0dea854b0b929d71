"""`python -m nas.train`: the supernet, or one network that inherits from it or starts afresh; alone or in parallel."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console

from nas.accuracy import SupernetEvaluator, standard_error
from nas.arch import Arch, to_json
from nas.convert import build
from nas.errors import InputError
from nas.files import read_json, write_json, write_whole
from nas.net import Network, covering, held, save_network, slice_weights
from nas.pipeline.context import Context, default_threads, opened, say, training_device
from nas.pipeline.evaluating import supernet_of
from nas.pipeline.own_space import arch_for
from nas.pipeline.teaching import NOBODY, teacher_of
from nas.pipeline.tuning import fine_tuned
from nas.settings import Settings
from nas.training import Ranks, accuracy, discard, from_first, joined


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """What training one network led to; accuracies in [0, 1].

    Attributes:
        start: `inherited` or `scratch`.
        teacher: Who taught it, and what that one scored on validation; or `none`.
        before: On validation, with the weights it began with; None for fresh ones.
        validation_accuracy, test_accuracy: Of the weights that were kept.
    """

    start: str
    teacher: str
    before: float | None
    validation_accuracy: float
    test_accuracy: float
    test_images: int


def train(settings: Settings) -> int:
    """Train the supernet of a space, or the network that `settings.network` names, and say what it scores.

    Every process that `torchrun` started calls this; the first one keeps the run and prints.
    """
    device = training_device(settings)
    with joined(device) as here, _own(settings, here) as own:
        console = Console(quiet=not here.first)
        with opened(own, console) as ctx:
            line = _supernet_line(ctx) if own.network is None else _network_line(ctx, own.network)
        say(console, line)
    return 0


@contextmanager
def _own(settings: Settings, here: Ranks) -> Iterator[Settings]:
    """The settings of one process of several: its share of the threads and, but for the first, a folder of its own."""
    if here.world == 1:
        yield settings
        return
    threads = settings.threads or max(1, default_threads() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    if here.first:
        yield replace(settings, threads=threads)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield replace(settings, threads=threads, runs_dir=Path(folder))


def _supernet_line(ctx: Context) -> str:
    supernet = supernet_of(ctx)
    score = supernet(supernet.largest)
    return f"supernet of {ctx.space.name} on {ctx.dataset.name}: its largest network scores {score:.1%} on validation"


def _network_line(ctx: Context, name: str) -> str:
    """Train a network where the run has not done so yet; what it scores."""
    path = ctx.run.path / "training.json"
    done = ctx.run.weights.exists() and path.exists()
    if from_first(b"done" if done else None, ctx.device) is None:
        network, found = _trained(ctx, _wanted(ctx, name))
        write_whole(ctx.run.arch, to_json(network.arch))
        write_whole(ctx.run.trimmed, to_json(network.arch))  # where nas.export and nas.trim look for it
        save_network(ctx.run.weights, network.to("cpu").eval())
        write_json(path, asdict(found))
        discard(_checkpoint(ctx))
    elif not done:
        return ""  # the first process of several tells
    found = build(Training, read_json(path), str(path))
    before = "from fresh weights" if found.before is None else f"{found.before:.1%} before"
    error = standard_error(found.test_accuracy, found.test_images)
    return (
        f"{ctx.run.weights}: {found.validation_accuracy:.1%} on validation ({before}; teacher: {found.teacher}), "
        f"{found.test_accuracy:.1%} +- {error:.1%} on {found.test_images} test images"
    )


def _trained(ctx: Context, arch: Arch) -> tuple[Network, Training]:
    """Stage `finetune` of one network: from the supernet's weights or afresh, with a teacher or without."""
    settings = ctx.settings
    inherited = settings.train.start == "inherited"
    if inherited:
        _require_member(ctx, arch)
    supernet = supernet_of(ctx) if inherited or settings.train.teacher == "largest" else None
    start = supernet.network(arch) if supernet and inherited else Network(arch, seed=settings.seed)
    before = accuracy(start, ctx.dataset.val, ctx.dataset) if inherited else None
    teacher, told = _teacher(ctx, supernet, before)
    network = fine_tuned(ctx, start, checkpoint=_checkpoint(ctx), teacher=teacher)
    return network, Training(
        start=settings.train.start,
        teacher=told,
        before=before,
        validation_accuracy=accuracy(network, ctx.dataset.val, ctx.dataset),
        test_accuracy=accuracy(network, ctx.dataset.test, ctx.dataset),
        test_images=len(ctx.dataset.test),
    )


def _teacher(ctx: Context, supernet: SupernetEvaluator | None, before: float | None) -> tuple[Network | None, str]:
    """The largest network of the supernet, where it is wanted and has something to tell; and what to say of it."""
    wanted = ctx.settings.train.teacher
    if wanted == "none" or supernet is None:
        return None, NOBODY
    return teacher_of(
        "the largest network",
        wanted=wanted,
        score=supernet(supernet.largest),
        before=before,
        make=lambda: supernet.network(supernet.largest),
    )


def _wanted(ctx: Context, name: str) -> Arch:
    """The network that a name stands for, with the channels and classes of the data."""
    return arch_for(ctx.settings, name, image_channels=ctx.dataset.channels, classes=len(ctx.dataset.classes))


def _require_member(ctx: Context, arch: Arch) -> None:
    """Refuse a network that cannot inherit before a supernet is trained for it."""
    try:
        slice_weights(held(*covering(ctx.space)), {}, arch)
    except InputError as error:
        raise InputError(
            f"network={ctx.settings.network} is no part of the supernet of {ctx.space.name} ({error}); choose its "
            f"space, or train.start=scratch"
        ) from None


def _checkpoint(ctx: Context) -> Path:
    return ctx.run.path / "finetune.safetensors"
