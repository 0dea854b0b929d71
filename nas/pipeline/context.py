"""What the stages of a run share: settings, data, space, prices and where to report progress."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from rich.console import Console

from nas.data import Dataset, record_text
from nas.errors import DeviceError, InputError
from nas.files import read_json, write_json, write_whole
from nas.progress import Progress
from nas.results import RunDir, open_run, progress_reporter
from nas.settings import Settings
from nas.space import SearchSpace

MOST_THREADS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One run at work.

    Attributes:
        device: What trains, `cpu` or `cuda`.
    """

    settings: Settings
    run: RunDir
    dataset: Dataset
    space: SearchSpace
    device: str
    console: Console
    progress: Progress


@contextmanager
def opened(settings: Settings, console: Console, *, finished: RunDir | None = None) -> Iterator[Context]:
    """Load the data, make the space, open the run directory and show progress until the block ends.

    Args:
        settings: What was asked for.
        console: Where progress is shown.
        finished: A run to work in again; None: the run of these settings.

    Raises:
        InputError: The data or the run directory cannot be used.
        DeviceError: `device=cuda` without a CUDA device.
    """
    device = training_device(settings)
    dataset = settings.load_data()
    space = settings.make_space(image_channels=dataset.channels, classes=len(dataset.classes))
    with (
        _reopened(finished) if finished else _begun(settings, dataset) as run,
        progress_reporter(console) as progress,
    ):
        yield Context(
            settings=settings,
            run=run,
            dataset=dataset,
            space=space,
            device=device,
            console=console,
            progress=progress,
        )


@contextmanager
def _begun(settings: Settings, dataset: Dataset) -> Iterator[RunDir]:
    """The run of these settings, with what its data are written down.

    Raises:
        InputError: The images are not those that the run began with.
    """
    with open_run(settings.runs_dir, settings.name, settings.composed) as run:
        described = dataset.description()
        if run.data.exists():
            began = read_json(run.data)
            known = began.get("digest") if isinstance(began, dict) else None
            if known != described["digest"]:
                raise InputError(
                    f"run {run.path} began with other images or labels of {dataset.name} (digest {known}, now "
                    f"{described['digest']}); choose name=other, or delete the folder to start it again"
                )
        else:
            write_json(run.data, described)
        if not run.overrides.exists():
            write_json(run.overrides, list(settings.overrides))
        if dataset.split_record is not None and not run.split.exists():
            write_whole(run.split, record_text(dataset.split_record))
        yield run


@contextmanager
def _reopened(run: RunDir) -> Iterator[RunDir]:
    with run.locked():
        yield run


def training_device(settings: Settings) -> str:
    """What trains; on the CPU, on as many threads as `settings.threads` says.

    Raises:
        DeviceError: `device=cuda` without a CUDA device.
    """
    torch.set_num_threads(settings.threads or default_threads())
    if settings.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise DeviceError("device=cuda: torch finds no CUDA device; choose device=cpu, or install torch for CUDA")
    return settings.device


def default_threads() -> int:
    """Half of the cores, at most `MOST_THREADS`.

    Small batches gain little from more, and two threads on two cores that anything else uses take five times as long
    (measured: 97 s of fine-tuning became 465 s).
    """
    return max(1, min(MOST_THREADS, (os.cpu_count() or 1) // 2))


def say(console: Console, line: str) -> None:
    """Print one plain line."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)
