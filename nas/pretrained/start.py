"""A supernet's first values from a trained network: its tensors become the leading channels of the larger ones.

Layers outside blocks (`stem`, `head`, `classifier`) are matched by name. Blocks are: block j of the trained network's
stage i is block j of the supernet's stage i, where a stage is a run of blocks that give the same width. Inside blocks
layers are matched by the rest of their name. Kernels keep their centre.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import torch
from torch import Tensor

from nas.arch import Arch, Kind
from nas.errors import InputError
from nas.net.modules import Network
from nas.net.tensors import initial_parameters

_ROUNDABOUT = (Kind.CONCAT, Kind.SLICE, Kind.SHUFFLE)  # leading channels of the input do not lead the output


def supernet_start(largest: Arch, network: Network, *, seed: int = 0) -> dict[str, Tensor]:
    """Make a supernet's parameters out of a trained network's.

    Args:
        largest: The space's largest network, the supernet's architecture.
        network: Trained, like MobileNetV3-Large or EfficientNet-B0 with `load_pretrained`. What is larger than in the
            supernet keeps its leading channels; its running statistics are not used.
        seed: Of the values that the trained network has nothing for.

    Returns:
        Every parameter of the supernet by name; `safetensors.torch.save_file` makes the file that training begins from.

    Raises:
        InputError: The two are not of a kind: other stages, or channels that are split and shuffled.
    """
    places = _places(network.arch, largest)
    start, trained = initial_parameters(largest, seed=seed), network.tensors()
    for name, tensor in trained.items():
        layer, _, leaf = _split(name, places)
        target = start.get(f"{places.get(layer, '')}.{leaf}")
        if target is not None and target.dim() == tensor.dim():
            _put(tensor.detach().cpu(), target)
    return start


def _split(name: str, layers: Mapping[str, str]) -> tuple[str, str, str]:
    """Layer and the rest of a tensor's name: `b0.se.down.weight` is `down.weight` of layer `b0.se`."""
    layer, dot, leaf = name.rpartition(".")
    if layer not in layers and layer.rpartition(".")[0] in layers:
        layer, dot, owner = layer.rpartition(".")
        leaf = f"{owner}.{leaf}"
    return layer, dot, leaf


def _put(tensor: Tensor, into: Tensor) -> None:
    """Copy what overlaps: leading channels, and of kernels (dimensions 2 and 3) the centre."""
    shared = [min(sizes) for sizes in zip(tensor.shape, into.shape, strict=True)]
    for dimension, length in enumerate(shared):
        tensor, into = (
            part.narrow(dimension, (part.shape[dimension] - length) // 2 if dimension > 1 else 0, length)
            for part in (tensor, into)
        )
    with torch.no_grad():
        into.copy_(tensor)


def _places(trained: Arch, largest: Arch) -> dict[str, str]:
    """Layer of the trained network -> the supernet's layer that it is put in."""
    for arch, which in ((trained, "the trained network"), (largest, "the supernet")):
        odd = next((layer.name for layer in arch.layers if layer.kind in _ROUNDABOUT or layer.groups > 1), None)
        if odd:
            raise InputError(f"layer '{odd}' of {which} mixes or splits channels; a supernet cannot start from it")
    theirs, ours = _stages(trained), _stages(largest)
    if len(theirs) != len(ours):
        raise InputError(
            f"the trained network has {len(theirs)} stages, the supernet {len(ours)}; start from a network of its kind"
        )
    blocks = {a: b for stage, other in zip(theirs, ours, strict=True) for a, b in zip(stage, other, strict=False)}
    names = {layer.name for layer in largest.layers}
    places = {}
    for layer in trained.layers:
        block, dot, rest = layer.name.rpartition(".")
        name = f"{blocks.get(block, '?')}.{rest}" if dot else layer.name
        if name in names:
            places[layer.name] = name
    return places


def _stages(arch: Arch) -> list[list[str]]:
    """Names of the blocks of each stage."""
    last = {layer.name.rpartition(".")[0]: layer.width for layer in arch.layers if layer.width and "." in layer.name}
    return [list(blocks) for _, blocks in itertools.groupby(last, key=last.__getitem__)]
