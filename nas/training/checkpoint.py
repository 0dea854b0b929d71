"""Checkpoints that survive `kill -9` and never run code: safetensors, written whole.

Tensors: the module's under their names, momentum buffers under `momentum/<name>`. Metadata: epochs done, and what the
training is (`identity`), so that a file of another training is refused.
"""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.optim import Optimizer

from nas.errors import InputError
from nas.files import write_whole

MOMENTUM = "momentum/"
BUFFER = "momentum_buffer"


def save_checkpoint(path: Path, module: nn.Module, optimizer: Optimizer, *, epochs: int, identity: str) -> None:
    """Write a training's state after some epochs.

    Raises:
        StorageError: The file cannot be written.
    """
    tensors = dict(module.state_dict())
    for name, parameter in module.named_parameters():
        if BUFFER in optimizer.state.get(parameter, {}):
            tensors[MOMENTUM + name] = optimizer.state[parameter][BUFFER]
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, safetensors.torch.save(whole, {"epochs": str(epochs), "identity": identity}))


def load_checkpoint(path: Path, module: nn.Module, optimizer: Optimizer, *, identity: str) -> int:
    """Put a training's state back.

    Returns:
        Epochs done.

    Raises:
        InputError: The file is damaged, or of another training.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read checkpoint {path} ({error}); delete it to train from the start") from None
    if metadata.get("identity") != identity:
        raise InputError(f"checkpoint {path} is of another training; delete it or choose another run name")
    module.load_state_dict({name: tensor for name, tensor in tensors.items() if not name.startswith(MOMENTUM)})
    for name, parameter in module.named_parameters():
        if MOMENTUM + name in tensors:
            optimizer.state[parameter][BUFFER] = tensors[MOMENTUM + name].to(parameter.device)
    return int(metadata["epochs"])
