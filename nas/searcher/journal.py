"""An Optuna study in a journal file that survives `kill -9`, a full disk and a second process.

A trial is written once, when it is finished, as one line, so a killed run loses the trial it was at and nothing else.
Optuna's own journal cannot be appended to after a torn last line and leaves its lock file behind when killed: here the
tail is repaired on opening, and the lock is the kernel's (`flock`), which ends with its process.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from nas.errors import InputError, StorageError

STUDY = "search"
_SETTINGS = "settings"
_FIRST_BYTES = b'{"op_code"'


class LockedJournal(JournalFileBackend):
    """Optuna's journal file under a kernel lock.

    Raises:
        StorageError: The file cannot be written, or is not a journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _locked(path) as file:
            _repair(file, path)
        super().__init__(str(path))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append whole lines and wait until they are on the disk."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with _locked(self._path) as file:
            file.seek(0, os.SEEK_END)
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())


def open_study(path: Path, settings: str) -> optuna.Study:
    """Open the study in a file, or begin one.

    Args:
        path: The journal file.
        settings: One line about everything that makes trials comparable; kept in the study.

    Raises:
        InputError: The file holds a study of other settings; the text names both.
        StorageError: The file cannot be read or written, or is not a journal.
    """
    try:
        study = optuna.create_study(
            study_name=STUDY, storage=JournalStorage(LockedJournal(path)), direction="maximize", load_if_exists=True
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path}: not a readable study ({error}); delete it or choose another run name") from None
    found = study.user_attrs.get(_SETTINGS)
    if found is None and not study.trials:
        study.set_user_attr(_SETTINGS, settings)
    elif found != settings:
        raise InputError(
            f"{path}: holds a search of [{found}], asked for [{settings}]; choose another run name or delete it"
        )
    return study


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another folder"
        ) from None


def _repair(file: BinaryIO, path: Path) -> None:
    """Cut off what follows the last whole line."""
    content = file.read()
    if not content[: len(_FIRST_BYTES)] == _FIRST_BYTES[: len(content)]:
        raise StorageError(f"{path}: not a search journal; choose another file")
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        file.truncate(whole)
        os.fsync(file.fileno())
