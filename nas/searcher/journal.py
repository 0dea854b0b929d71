"""Optuna's journal file made to survive `kill -9`, a full disk and many processes at once.

Optuna's own cannot be appended to after a torn last line and leaves its lock file behind when killed. Here a torn tail
is cut off before anything is appended, a write that did not fit is taken back, and the lock is the kernel's (`flock`),
which ends with its process.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend

from nas.errors import StorageError

_FIRST_BYTES = b'{"op_code"'


class LockedJournal(JournalFileBackend):
    """Optuna's journal file under a kernel lock.

    Raises:
        StorageError: The file cannot be written, or is not a journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _locked(path) as file:
            _refuse_other_files(file, path)
            _cut_torn_tail(file)
        super().__init__(str(path))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append whole lines, all or none, and wait until they are on the disk."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with _locked(self._path) as file:
            _append(file, lines.encode(), _cut_torn_tail(file))


@contextmanager
def _locked(path: Path) -> Iterator[FileIO]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another folder, "
            f"then the same call goes on"
        ) from None


def _append(file: FileIO, data: bytes, end: int) -> None:
    file.seek(end)
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError:
        with suppress(OSError):
            file.truncate(end)
        raise
    os.fsync(file.fileno())


def _refuse_other_files(file: FileIO, path: Path) -> None:
    start = file.read(len(_FIRST_BYTES))
    if start != _FIRST_BYTES[: len(start)]:
        raise StorageError(f"{path}: not a search journal; choose another file")


def _cut_torn_tail(file: FileIO) -> int:
    """Cut off what follows the last whole line; return where it ends, in bytes."""
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return 0
    file.seek(end - 1)
    if file.read(1) == b"\n":
        return end
    file.seek(0)
    whole = file.readall().rfind(b"\n") + 1
    file.truncate(whole)
    os.fsync(file.fileno())
    return whole
