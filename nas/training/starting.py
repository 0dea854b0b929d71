"""Starting weights of a supernet, from a safetensors file: a checkpoint of ours or plain weights by the same names."""

from __future__ import annotations

import hashlib
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from nas.errors import InputError
from nas.net import Supernet
from nas.training.checkpoint import EMA


def start_from(supernet: Supernet, path: Path) -> str:
    """Give a supernet the weights of a file.

    The averaged weights are taken where the file has them. The last layer keeps its first values where the file's
    tells other classes apart.

    Args:
        supernet: Gets the weights.
        path: The file.

    Returns:
        A digest of the file.

    Raises:
        InputError: The file cannot be read, or its tensors are not those of this space's largest network.
    """
    try:
        content = path.read_bytes()
        found = safetensors.torch.load(content)
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read the starting weights {path} ({error}); give a safetensors file") from None
    own = supernet.tensors()
    taken = {name: found.get(EMA + name, found.get(name)) for name in own}
    last = f"{supernet.arch.layers[-1].name}."
    with torch.no_grad():
        for name, tensor in own.items():
            given = taken[name]
            if given is not None and given.shape == tensor.shape:
                tensor.copy_(given)
            elif given is None or not _other_classes(name, given, tensor, last):
                has = "missing" if given is None else f"{tuple(given.shape)}"
                raise InputError(
                    f"{path} is of another space: '{name}' is {has}, here {tuple(tensor.shape)}; give weights of a "
                    f"supernet of this space, or leave init out"
                )
    return hashlib.sha256(content).hexdigest()[:12]


def _other_classes(name: str, given: Tensor, own: Tensor, last: str) -> bool:
    """Whether a tensor of the last layer differs in the number of classes alone."""
    return name.startswith(last) and given.shape[1:] == own.shape[1:]
