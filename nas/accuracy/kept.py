"""Scores that outlive the process: by architecture in memory, by digest in a checksummed file that is written whole.

Several processes may score for one file: each writes what the others wrote too, under the file's lock.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nas.arch import Arch, digest
from nas.convert import build
from nas.errors import InputError, TooManyFailuresError
from nas.files import exclusive, read_json, write_json

SCHEMA = 1

Values = tuple[float, ...]  # a score, or accuracies epoch by epoch


@dataclass(frozen=True, kw_only=True, slots=True)
class _Content:
    schema: int
    identity: str
    checksum: str
    scores: Mapping[str, Values]


class Kept:
    """Scores by network, oldest first."""

    def __init__(self, path: Path | None, identity: str) -> None:
        """Open the file, or begin one with the first score.

        Args:
            path: The file; None keeps scores in memory only.
            identity: What makes its scores comparable; a file of another one is refused.

        Raises:
            InputError: The file is damaged, or holds scores of another kind.
        """
        self._path, self._identity = path, identity
        self._by_arch: dict[Arch, Values] = {}  # spares the digest, a millisecond
        self._by_digest: dict[str, Values] = {}
        self._seen: tuple[int, int] | None = None  # time and size of the file as it was last read
        self._read()

    def find(self, arch: Arch) -> Values | None:
        """What was kept of a network, here or by another process.

        Raises:
            InputError: The file is damaged, or holds scores of another kind.
        """
        if arch not in self._by_arch:
            self._read()
            found = self._by_digest.get(digest(arch))
            if found is None:
                return None
            self._by_arch[arch] = found
        return self._by_arch[arch]

    def add(self, arch: Arch, values: Values) -> None:
        """Keep what a network scored.

        Raises:
            StorageError: The file cannot be written; there may be no space left.
        """
        self._by_arch[arch] = values
        if self._path is None:
            self._by_digest[digest(arch)] = values
            return
        with exclusive(self._path.with_suffix(".lock")):
            self._read()
            self._by_digest[digest(arch)] = values
            checksum = _checksum(self._identity, self._by_digest)
            content = {"schema": SCHEMA, "identity": self._identity, "checksum": checksum, "scores": self._by_digest}
            write_json(self._path, content)
            self._seen = _state(self._path)

    def once(self, arch: Arch, work: Callable[[], Values]) -> Values:
        """What was kept of a network, or what `work` gives now, which is kept.

        Raises:
            InputError: The file is damaged, or holds scores of another kind.
            StorageError: The file cannot be written; there may be no space left.
            TooManyFailuresError: `work` gave what is no number.
        """
        values = self.find(arch)
        if values is None:
            values = work()
            if not all(map(math.isfinite, values)):
                line = f"network {digest(arch)} scores {values[-1]}: its weights or its logits are no numbers"
                raise TooManyFailuresError(line)
            self.add(arch, values)
        return values

    def all(self) -> tuple[Values, ...]:
        """Everything that was kept, oldest first."""
        self._read()
        return tuple(self._by_digest.values())

    def _read(self) -> None:
        """Take over what other processes wrote."""
        if self._path is None or not self._path.exists() or _state(self._path) == self._seen:
            return
        state = _state(self._path)
        content = build(_Content, read_json(self._path), str(self._path))
        if content.schema != SCHEMA or content.checksum != _checksum(content.identity, content.scores):
            raise InputError(f"{self._path} is damaged or was edited; delete it to have its networks scored again")
        if content.identity != self._identity:
            raise InputError(
                f"{self._path} holds scores of {content.identity}, here they are of {self._identity}; delete it"
            )
        self._by_digest, self._seen = dict(content.scores), state


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _checksum(identity: str, scores: Mapping[str, Values]) -> str:
    text = json.dumps([identity, {key: list(values) for key, values in scores.items()}])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
