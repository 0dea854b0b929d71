"""Files that survive `kill -9`: written whole (temporary name, fsync, rename) and read back with errors for users."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nas.errors import InputError, StorageError


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        StorageError: The folder cannot be made or the file cannot be written (permission, no space left).
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another folder"
        ) from None
    return path


def write_json(path: Path, value: object) -> Path:
    """Write a value as indented JSON, whole; NaN and infinity are refused."""
    return write_whole(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_text(path: Path) -> str:
    """Read a UTF-8 file.

    Raises:
        InputError: It does not exist or cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise InputError(f"cannot read {path}: {reason}") from None


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: It does not exist, is truncated, holds NaN or infinity, or gives one key two values.
    """

    def refuse(constant: str) -> None:
        raise InputError(f"{path}: holds {constant}, which is not a number")

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"{path}: holds the key '{twice}' twice; leave one of them")
        return value

    try:
        return json.loads(read_text(path), parse_constant=refuse, object_pairs_hook=distinct)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not valid JSON ({error}); was it truncated? delete it to have it made again"
        ) from None


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a file's lock for the block, waiting for it; the kernel frees it when the process dies.

    Raises:
        StorageError: The file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}; choose another folder") from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
