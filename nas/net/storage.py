"""A trained network on disk: its architecture as JSON, its tensors as safetensors. Nothing in them is ever run."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch

from nas.arch import from_json, to_json
from nas.errors import InputError
from nas.files import read_text, write_whole
from nas.net.modules import Network, network_of


def save_network(path: Path, network: Network) -> Path:
    """Write a network's tensors as safetensors, its architecture in the metadata."""
    tensors = {name: tensor.detach().contiguous() for name, tensor in network.tensors().items()}
    return write_whole(path, safetensors.torch.save(tensors, {"arch": to_json(network.arch)}))


def load_network(arch: Path, weights: Path) -> Network:
    """Read a network back.

    Raises:
        InputError: A file is missing or damaged, or the weights are another network's.
    """
    for path in (arch, weights):
        if not path.exists():
            raise InputError(f"{path} does not exist; finish the run with the command that began it")
    read = from_json(read_text(arch), where=str(arch))
    try:
        tensors = safetensors.torch.load_file(weights)
        expected = {name: tensor.shape for name, tensor in Network(read).tensors().items()}
        wrong = [name for name, shape in expected.items() if name not in tensors or tensors[name].shape != shape]
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"cannot read {weights}: {error}; delete it to have it trained again") from None
    if wrong or set(tensors) - set(expected):
        name = wrong[0] if wrong else min(set(tensors) - set(expected))
        raise InputError(f"{weights}: '{name}' does not fit {arch}; were they made by different runs?")
    return network_of(read, tensors).eval()
