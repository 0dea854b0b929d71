"""The run directory: where every stage's result lies, who works in it, and how long each stage took in all."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.convert import convert
from nas.errors import InputError, StorageError
from nas.files import read_json, write_json
from nas.progress import Progress

SAVE_EVERY_S = 5.0  # a stage that is killed loses at most this much of its count
_SHOWN_CHANGES = 4
_ABSENT = "(none)"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDir:
    """Names of a run's files, and its stage clock."""

    path: Path

    @property
    def config(self) -> Path:
        """Configuration that the run was made with."""
        return self.path / "config.json"

    @property
    def overrides(self) -> Path:
        """Arguments that the run was made with, for further commands about it."""
        return self.path / "overrides.json"

    @property
    def data(self) -> Path:
        """What the run's data are: sizes, classes, normalisation, digest."""
        return self.path / "data.json"

    @property
    def split(self) -> Path:
        """Which images are in which split, where a seed made it."""
        return self.path / "split.json"

    @property
    def table(self) -> Path:
        """Latency table that the run used."""
        return self.path / "table.json"

    @property
    def journal(self) -> Path:
        """Optuna study."""
        return self.path / "study.journal"

    @property
    def trials(self) -> Path:
        """Evaluated networks, one a line."""
        return self.path / "trials.csv"

    @property
    def arch(self) -> Path:
        """Architecture that the search found."""
        return self.path / "arch.json"

    @property
    def widths(self) -> Path:
        """Space of one network's widths, where there is no space to search: its name, grain and widest network."""
        return self.path / "widths.json"

    @property
    def trim(self) -> Path:
        """Folder of the trimming stage: moves and checkpoints."""
        return self.path / "trim"

    @property
    def trimmed(self) -> Path:
        """Architecture after trimming."""
        return self.path / "trimmed.json"

    @property
    def moves(self) -> Path:
        """Moves of the trimming, one a line."""
        return self.path / "moves.csv"

    @property
    def trim_svg(self) -> Path:
        """Picture of the moves."""
        return self.path / "trim.svg"

    @property
    def teacher(self) -> Path:
        """Who taught the fine-tuning, where somebody was wanted."""
        return self.path / "teacher.json"

    @property
    def weights(self) -> Path:
        """Trained weights of the trimmed architecture."""
        return self.path / "weights.safetensors"

    @property
    def onnx(self) -> Path:
        """Exported network."""
        return self.path / "model.onnx"

    @property
    def verification(self) -> Path:
        """Parity and measured latency of the exported network."""
        return self.path / "verification.json"

    @property
    def report(self) -> Path:
        """Report for machines."""
        return self.path / "report.json"

    @property
    def sweep(self) -> Path:
        """Table of a sweep over budgets, whose runs are folders in this one."""
        return self.path / "sweep.json"

    @property
    def html(self) -> Path:
        """Report for people."""
        return self.path / "report.html"

    @property
    def pareto(self) -> Path:
        """Pareto plot."""
        return self.path / "pareto.svg"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard scalars."""
        return self.path / "tensorboard"

    @property
    def seconds_file(self) -> Path:
        """Wall seconds of each stage."""
        return self.path / "seconds.json"

    def seconds(self) -> dict[str, float]:
        """Wall seconds spent in each stage so far, killed and resumed parts included."""
        if not self.seconds_file.exists():
            return {}
        return dict(convert(Mapping[str, float], read_json(self.seconds_file), str(self.seconds_file)))

    @contextmanager
    def timed(self, stage: str, progress: Progress) -> Iterator[Progress]:
        """Count the time of the block towards a stage.

        The count is saved at the end and, whenever the yielded progress callback is called, every few seconds.

        Args:
            stage: Name in `seconds()`.
            progress: Where the yielded callback passes its calls on to.
        """
        before, begin = self.seconds(), time.monotonic()
        saved_at = begin

        def save() -> None:
            nonlocal saved_at
            saved_at = time.monotonic()
            spent = before.get(stage, 0.0) + saved_at - begin
            write_json(self.seconds_file, {**before, stage: round(spent, 3)})

        def ticking(name: str, done: int, total: int, note: str) -> None:
            if time.monotonic() - saved_at >= SAVE_EVERY_S:
                save()
            progress(name, done, total, note)

        try:
            yield ticking
        finally:
            save()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Work in the run alone.

        Raises:
            InputError: Another process works in it.
            StorageError: The folder cannot be made or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / ".lock").open("a+")
        except OSError as error:
            reason = error.strerror or error
            raise StorageError(f"cannot work in {self.path}: {reason}; choose another folder") from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                owner = file.read().strip() or "unknown"
                raise InputError(
                    f"run {self.path} is in use by process {owner}; wait for it, stop it, or choose name=other"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


@contextmanager
def open_run(root: Path, name: str, configuration: Mapping[str, Any]) -> Iterator[RunDir]:
    """Open or make the run `root/name` and hold its lock until the block ends.

    Args:
        root: Folder of all runs.
        name: Name of the run, one folder name.
        configuration: What makes the run's results what they are; JSON values, nested.

    Raises:
        InputError: The name is not a folder name, another process works in the run, or it was made with another
            configuration.
        StorageError: The folder cannot be made or written.
    """
    if not name or name.startswith(".") or Path(name).name != name:
        raise InputError(f"name={name!r} must be one folder name that does not begin with a dot")
    run = RunDir(path=root / name)
    wanted = json.loads(json.dumps(configuration))
    with run.locked():
        if run.config.exists():
            _check_same(run, wanted)
        else:
            write_json(run.config, wanted)
        yield run


def _check_same(run: RunDir, wanted: Mapping[str, Any]) -> None:
    old, new = _flat(read_json(run.config)), _flat(wanted)
    changed = [key for key in {**old, **new} if old.get(key, _ABSENT) != new.get(key, _ABSENT)]
    if not changed:
        return
    shown = [f"{key}: {old.get(key, _ABSENT)} -> {new.get(key, _ABSENT)}" for key in changed[:_SHOWN_CHANGES]]
    more = f" and {len(changed) - _SHOWN_CHANGES} more" if len(changed) > _SHOWN_CHANGES else ""
    raise InputError(
        f"run {run.path} was made with another configuration ({', '.join(shown)}{more}); "
        f"choose name=other, or delete the folder to start it again"
    )


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    """Nested mappings as one with dotted keys."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    flat: dict[str, object] = {}
    for key, item in value.items():
        flat |= _flat(item, f"{prefix}.{key}" if prefix else str(key))
    return flat
