"""Where a trimming stands, in one file that is replaced whole; the readable copies beside it are written after it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch

from nas.arch import from_json, to_json
from nas.errors import InputError
from nas.files import write_json, write_whole
from nas.net import Network, network_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One width narrowed.

    Attributes:
        saved_ms: Latency before minus after, ms.
        accuracy_before, accuracy_after: In [0, 1], as scored while trimming.
        latency_ms: Of the network after the move, ms.
    """

    width: str
    channels_before: int
    channels_after: int
    saved_ms: float
    accuracy_before: float
    accuracy_after: float
    latency_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """A trimming as its checkpoint tells it: the network, the moves that led to it, and the proposals dropped."""

    network: Network
    moves: tuple[Move, ...]
    dropped: int


def save(folder: Path, network: Network, moves: Sequence[Move], *, dropped: int, settings: str) -> None:
    """Write the network, the moves that led to it and how many proposals were dropped.

    Raises:
        StorageError: The folder cannot be written.
    """
    rows = [dataclasses.asdict(move) for move in moves]
    arch = to_json(network.arch)
    metadata = {"arch": arch, "moves": json.dumps(rows), "settings": settings, "dropped": str(dropped)}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.tensors().items()}
    write_whole(_path(folder), safetensors.torch.save(tensors, metadata))
    write_whole(folder / "arch.json", arch)
    write_json(folder / "moves.json", rows)


def load(folder: Path, *, settings: str) -> Saved | None:
    """Read back what `save` wrote; None when there is nothing.

    Raises:
        InputError: The file is damaged, or belongs to a trimming of other settings.
    """
    path = _path(folder)
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
        found = metadata["settings"]
        moves = tuple(Move(**row) for row in json.loads(metadata["moves"]))
        dropped = int(metadata["dropped"])
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a readable checkpoint ({error}); delete it to trim again") from None
    if found != settings:
        raise InputError(f"{path}: holds a trimming of [{found}], asked for [{settings}]; delete it to trim again")
    network = network_of(from_json(metadata["arch"], where=str(path)), tensors)
    return Saved(network=network, moves=moves, dropped=dropped)


def _path(folder: Path) -> Path:
    return folder / "weights.safetensors"
