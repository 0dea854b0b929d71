"""Published weights into our networks: torchvision's and timm's state dicts, matched in order and checked by shape.

Families, as `scripts/check_pretrained.py` compares them: MobileNet V1 to V4, MnasNet, EfficientNet, ShuffleNetV2,
SqueezeNet, PP-LCNet, GhostNet, ResNet, ResNeXt, DenseNet, AlexNet, VGG.

Batch norm divides by sqrt(variance + epsilon), with an epsilon that is the framework's own. Ours is
`nas.net.norm.EPSILON`; the difference is added to the variances that are loaded, so that outputs in evaluation are
equal, not just near.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from nas.arch import Arch
from nas.errors import InputError
from nas.net.modules import Network
from nas.net.norm import EPSILON
from nas.net.tensors import parameter_shapes, statistic_shapes
from nas.pretrained.files import read_tensors
from nas.pretrained.order import Module, in_order

# Names of torchvision's that have an epsilon of 1e-3: MobileNetV3, and EfficientNet from B5 on (three first blocks).
_WIDE_EPSILON = re.compile(r"features\.(\d+|1\.2)\.block\.")
_NORM = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "var": "running_var"}  # ours -> theirs
_KERNEL = {"weight": "weight", "bias": "bias"}
Slot = Mapping[str, str]  # one module of theirs: our tensor's name -> the leaf of their name
Shapes = Mapping[str, tuple[int, ...]]


def load_pretrained(network: Network, file: str | Path, *, epsilon: float | None = None) -> Network:
    """Load published weights into a network, in place.

    Args:
        network: The same network as the file's.
        file: Safetensors, or a state dict that `torch.save` wrote: torchvision's or timm's of the families that the
            module names, or what `nas.net.save_network` wrote.
        epsilon: Of the batch norms that were trained; None: what the names in the file say, 1e-3 for torchvision's
            MobileNetV3 and 1e-5 for all others. timm's `tf_` models need 1e-3, and pad their strided convolutions at
            one side only, which ours do not: fine-tune those.

    Returns:
        `network`.

    Raises:
        InputError: The file cannot be read, or holds the weights of another network; the text names the tensor.
    """
    tensors = pretrained_tensors(network.arch, Path(file), epsilon=epsilon)
    own = network.tensors()
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)
    return network


def pretrained_tensors(arch: Arch, file: Path, *, epsilon: float | None = None) -> dict[str, Tensor]:
    """Every tensor of a network out of a file; arguments and errors as for `load_pretrained`."""
    state, shapes = read_tensors(file), shapes_of(arch)
    if are_ours(state, shapes):
        _check_names(state, shapes, file)
        return {name: _fitting(name, shape, name, state[name], file) for name, shape in shapes.items()}
    theirs = in_order(state, where=str(file))
    kernels, norms = _slots(shapes)
    found = _matched(kernels, theirs.kernels, shapes, file) | _matched(norms, theirs.norms, shapes, file)
    theirs_epsilon = epsilon if epsilon is not None else 1e-3 if any(map(_WIDE_EPSILON.match, state)) else EPSILON
    return {name: tensor + (theirs_epsilon - EPSILON) if _is_var(name) else tensor for name, tensor in found.items()}


def shapes_of(arch: Arch) -> Shapes:
    """Every tensor of a network by name."""
    return {**parameter_shapes(arch), **statistic_shapes(arch)}


def are_ours(state: Mapping[str, Tensor], shapes: Shapes) -> bool:
    """Whether tensors are named as ours are; "classifier.weight" is anybody's."""
    return 2 * len(state.keys() & shapes.keys()) > len(shapes)


def _is_var(name: str) -> bool:
    return name.endswith(".var")


def _slots(shapes: Shapes) -> tuple[list[Slot], list[Slot]]:
    """Our convolutions and linear layers, and our batch norms, in order of execution."""
    kernels: dict[str, dict[str, str]] = {}
    norms: dict[str, dict[str, str]] = {}
    for name in shapes:
        owner, _, leaf = name.rpartition(".")
        into, leaves = (norms, _NORM) if leaf in _NORM else (kernels, _KERNEL)
        into.setdefault(owner, {})[name] = leaves[leaf]
    return list(kernels.values()), list(norms.values())


def _matched(slots: list[Slot], modules: tuple[Module, ...], shapes: Shapes, file: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for slot, module in zip(slots, modules, strict=False):
        found |= dict(_pair(slot, module, shapes, file))
    if len(slots) != len(modules):
        extra = modules[len(slots)].name if len(modules) > len(slots) else next(iter(slots[len(modules)]))
        whose = "the network" if len(modules) > len(slots) else "the file"
        raise InputError(f"{file}: {whose} has nothing for '{extra}': these are the weights of another network")
    return found


def _pair(slot: Slot, module: Module, shapes: Shapes, file: Path) -> Iterator[tuple[str, Tensor]]:
    if set(slot.values()) != set(module.tensors):
        odd = min(set(slot.values()) ^ set(module.tensors))
        whose = "the network" if odd in module.tensors else "the file"
        first = next(iter(slot))
        raise InputError(
            f"{file}: '{module.name}' stands for '{first}', but {whose} has no '{odd}' for it: these are the weights "
            "of another network"
        )
    for name, leaf in slot.items():
        yield name, _fitting(name, shapes[name], f"{module.name}.{leaf}", module.tensors[leaf], file)


def _fitting(name: str, shape: tuple[int, ...], key: str, tensor: Tensor, file: Path) -> Tensor:
    """The tensor in our shape: 1x1 convolutions of an image of one pixel are linear layers, and the reverse."""
    found = tuple(tensor.shape)
    if _pointless(found) != _pointless(shape) or not tensor.is_floating_point():
        raise InputError(
            f"{file}: '{key}' is {found} of {str(tensor.dtype).removeprefix('torch.')}, '{name}' needs {shape}: these "
            "are the weights of another network, or of other classes"
        )
    return tensor.float().reshape(shape)


def _pointless(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the kernel of a 1x1 convolution."""
    return shape[:2] if shape[2:] == (1, 1) else shape


def _check_names(state: Mapping[str, Tensor], shapes: Shapes, file: Path) -> None:
    odd = sorted(state.keys() ^ shapes.keys())
    if odd:
        whose = "the network" if odd[0] in state else "the file"
        raise InputError(f"{file}: {whose} has no '{odd[0]}': these are the weights of another network")
