"""Checkpoints that survive `kill -9` and never run code: safetensors, written whole, the last two kept.

Tensors: the module's under their names, momentum buffers under `momentum/<name>`, the moving average of the weights
under `ema/<name>`. Metadata: how far the training is (`Mark`), and what it is (`identity`), so that a file of another
training is refused.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer

from nas.convert import build
from nas.errors import InputError, StorageError
from nas.files import write_whole
from nas.training.optimizer import Ema

MOMENTUM, EMA = "momentum/", "ema/"
BUFFER = "momentum_buffer"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """How far a training is.

    Attributes:
        step: Steps taken, skipped ones included.
        finished: Whether there is nothing left to do.
        world: Processes that train together; those that go on must be as many.
        lr_scale: What failures left of the learning rate.
        failures: Steps skipped in a row.
        scaling: State of the loss scale.
    """

    step: int = 0
    finished: bool = False
    world: int = 1
    lr_scale: float = 1.0
    failures: int = 0
    scaling: str = "{}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What a checkpoint holds the tensors of."""

    module: nn.Module
    optimizer: Optimizer
    ema: Ema

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by their names in the file."""
        found = dict(self.module.state_dict())
        for name, parameter in self.module.named_parameters():
            if BUFFER in self.optimizer.state.get(parameter, {}):
                found[MOMENTUM + name] = self.optimizer.state[parameter][BUFFER]
        return found | {EMA + name: tensor for name, tensor in self.ema.tensors.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put the tensors back."""
        own = self.module.state_dict()
        self.module.load_state_dict({name: tensors[name] for name in own})
        for name, parameter in self.module.named_parameters():
            if MOMENTUM + name in tensors:
                self.optimizer.state[parameter][BUFFER] = tensors[MOMENTUM + name].to(parameter.device)
        self.ema.restore({name.removeprefix(EMA): tensor for name, tensor in tensors.items() if name.startswith(EMA)})


def save(path: Path, trained: Trained, mark: Mark, *, identity: str) -> None:
    """Write a training's state; what was there before is kept as the previous checkpoint.

    Raises:
        StorageError: The file cannot be written.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in trained.tensors().items()}
    content = safetensors.torch.save(whole, {"mark": json.dumps(dataclasses.asdict(mark)), "identity": identity})
    try:
        if path.exists():
            path.replace(previous(path))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}; choose another folder") from None
    write_whole(path, content)


def read(path: Path, *, identity: str) -> bytes | None:
    """Read the newest checkpoint that is whole; None when there is none.

    Raises:
        InputError: None of the files is whole, or they are of another training.
    """
    damage = ""
    for file in (path, previous(path)):
        try:
            content = file.read_bytes()
            metadata = metadata_of(content)
            safetensors.torch.load(content)
        except FileNotFoundError:
            continue
        except (OSError, SafetensorError, ValueError) as error:
            damage = damage or f"cannot read checkpoint {file} ({error}); delete it to train from the start"
            continue
        if metadata.get("identity") != identity:
            raise InputError(f"checkpoint {file} is of another training; delete it or choose another run name")
        return content
    if damage:
        raise InputError(damage)
    return None


def restore(content: bytes, trained: Trained, *, where: str) -> Mark:
    """Put a training's state back.

    Args:
        content: Of a checkpoint.
        trained: Gets its tensors.
        where: The file's name, for messages.

    Returns:
        How far the training was.
    """
    mark = build(Mark, json.loads(metadata_of(content)["mark"]), where)
    trained.restore(safetensors.torch.load(content))
    return mark


def metadata_of(content: bytes) -> dict[str, str]:
    """The metadata of a safetensors file: its header is JSON behind eight bytes that tell its length.

    Raises:
        ValueError: There is no such header.
    """
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return dict(header.get("__metadata__", {}))


def previous(path: Path) -> Path:
    """Where the checkpoint before the last one is."""
    return path.with_suffix(f".previous{path.suffix}")


def discard(path: Path) -> None:
    """Delete a training's checkpoints."""
    for file in (path, previous(path)):
        file.unlink(missing_ok=True)
