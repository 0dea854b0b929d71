"""What a measuring session has found so far: a file of checksummed lines, each one finding, safe against `kill -9`.

A line is `crc32 json`. It is appended whole; what a kill leaves of one, and everything behind a damaged one, is cut off
when the file is opened, and measured again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from nas.convert import build
from nas.errors import StorageError
from nas.latency.runtimes import LayerProfile

_CHECK = 9  # characters before a line's JSON: its checksum in hexadecimal and a space


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What the profiler says of the network at a place: layer name -> profile."""

    place: int
    layers: Mapping[str, LayerProfile]


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One timed run of every network, microseconds; None for those that fail."""

    us: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why the network at a place is left out; the place is negative where no network is to blame."""

    place: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """The last line: nothing is left to do.

    Attributes:
        steal_pct: See `Noise`.
    """

    steal_pct: float


Record = Profile | Round | Failure | End
_KINDS: Mapping[str, type[Record]] = {kind.__name__: kind for kind in (Profile, Round, Failure, End)}


class Records:
    """The findings of one session, in the order they were made.

    Attributes:
        profiles: Place of a network -> layer name -> profile.
        rounds: The finished rounds.
        failed: Place of a network -> why it is left out.
        end: None while something is left to do.

    Raises:
        StorageError: The file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.profiles: dict[int, Mapping[str, LayerProfile]] = {}
        self.rounds: list[tuple[float | None, ...]] = []
        self.failed: dict[int, str] = {}
        self.end: End | None = None
        for record in _recover(path):
            self._take(record)

    def add(self, record: Record) -> None:
        """Append a finding.

        Raises:
            StorageError: It cannot be written.
        """
        text = json.dumps({type(record).__name__: asdict(record)}, allow_nan=False) + "\n"
        try:
            with self._path.open("ab") as file:
                file.write(f"{_checksum(text.encode())} {text}".encode())
        except OSError as error:
            raise _unusable(self._path, error) from None
        self._take(record)

    def _take(self, record: Record) -> None:
        match record:
            case Profile():
                self.profiles[record.place] = record.layers
            case Round():
                self.rounds.append(record.us)
            case Failure():
                self.failed[record.place] = record.reason
            case End():
                self.end = record


def _recover(path: Path) -> list[Record]:
    """The records of a file, cut behind the last whole one."""
    records: list[Record] = []
    try:
        with path.open("r+b") as file:
            whole = 0
            for line in file:
                if not line.endswith(b"\n") or line[:_CHECK].decode(errors="replace") != _checksum(line[_CHECK:]) + " ":
                    break
                ((name, content),) = json.loads(line[_CHECK:]).items()
                records.append(build(_KINDS[name], content, str(path)))
                whole += len(line)
            file.truncate(whole)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unusable(path, error) from None
    return records


def _checksum(text: bytes) -> str:
    return f"{zlib.crc32(text):08x}"


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"cannot write {path}: {error.strerror or error}; free space or choose another folder")
