"""Tensors out of somebody's file: safetensors, or a state dict that `torch.save` wrote. Nothing in it is ever run."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from nas.errors import InputError

_INSIDE = ("state_dict", "model", "model_state_dict")  # where training scripts put the state dict
_PARALLEL = "module."  # prefix that DataParallel leaves
_DAMAGED = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    safetensors.SafetensorError,  # torch.load reads files of that name with that library
)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read a file's tensors by name, on the CPU.

    Raises:
        InputError: It is missing or damaged, holds more than tensors, or no tensor.
    """
    if not file.is_file():
        raise InputError(f"{file} is no file; give the path of a .safetensors file or of a saved state dict")
    try:
        state = _safetensors(file) or torch.load(file, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise InputError(
            f"cannot read {file}: {_reason(error)}; it must be safetensors or a state dict of tensors"
        ) from None
    return _tensors(state, file)


def _reason(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError):  # torch's own words advise to run what the file holds
        return "it is damaged or holds more than tensors"
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _safetensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; none where it is of another kind (told by its content, not by its name)."""
    with file.open("rb") as stream:
        head = stream.read(9)
    if len(head) < 9 or head[8:9] != b"{":
        return {}
    return dict(safetensors.torch.load_file(file))


def _tensors(state: object, file: Path) -> dict[str, Tensor]:
    for key in _INSIDE:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not state:
        raise InputError(f"{file} holds {type(state).__name__}, not named tensors; save model.state_dict()")
    strange = next((key for key, value in state.items() if not isinstance(value, Tensor)), None)
    if strange is not None:
        raise InputError(f"{file}: '{strange}' is a {type(state[strange]).__name__}, not a tensor")
    return {str(key).removeprefix(_PARALLEL): value for key, value in state.items()}
