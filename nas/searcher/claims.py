"""Who evaluates what: leases that end with their worker, and one turn at a time for the workers of a machine.

A worker holds the kernel's lock on a *lease* file for as long as it searches; its trials name the lease. Whoever finds
the file gone or unlocked knows at once that the worker is dead. Workers of another machine cannot be looked at: they
count a number up in the trial, the *beat*, and are dead when it has stood still for `LEASE_S` by the observer's clock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nas.files import exclusive, read_text, write_whole

BEAT_S = 30.0
LEASE_S = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """A worker's sign of life.

    Attributes:
        owner: What its trials carry: the machine's folder of leases and this lease, `PLACE/LEASE`.
    """

    owner: str
    path: Path

    def touch(self) -> None:
        """Keep cleaners of old temporary files away."""
        os.utime(self.path)


@contextmanager
def leased() -> Iterator[Lease]:
    """Hold a lease for the block.

    Raises:
        StorageError: The machine's temporary folder cannot be written.
    """
    name = uuid.uuid4().hex
    path = _folder() / f"{name}.lease"
    with exclusive(path):
        try:
            yield Lease(owner=f"{_place()}/{name}", path=path)
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def turn(label: str) -> Iterator[None]:
    """Wait until no other worker of this machine proposes for the study `label`: each then sees the others' claims."""
    with exclusive(_folder() / f"{hashlib.sha256(label.encode()).hexdigest()[:16]}.turn"):
        yield


@dataclass(slots=True)
class Watch:
    """Tells which owners are dead, remembering when their trials' beats were last seen to change."""

    _beats: dict[int, tuple[int, float]] = field(default_factory=dict)

    def dead(self, number: int, owner: str, beat: int) -> bool:
        """Whether the owner of a trial that runs is known to be dead.

        Args:
            number: The trial's; every one begins to beat anew.
            owner: As the trial says.
            beat: The trial's beat.
        """
        place, _, name = owner.partition("/")
        if place == _place():
            return not _held(_folder() / f"{Path(name).name}.lease")
        now_s = time.monotonic()
        last, since_s = self._beats.get(number, (-1, now_s))
        if last != beat:
            since_s = now_s
        self._beats[number] = (beat, since_s)
        return now_s - since_s > LEASE_S


def _held(path: Path) -> bool:
    """Whether somebody holds a file's lock."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"underbudget-{os.getuid()}"


def _place() -> str:
    """Name of this machine's folder of leases: processes that see the same folder can see each other's locks."""
    path = _folder() / "place"
    if not path.exists():
        with exclusive(_folder() / "place.lock"):
            if not path.exists():
                write_whole(path, uuid.uuid4().hex)
    return read_text(path)
