"""The modules of torchvision's and timm's state dicts, in the order in which the network computes them.

A file's own order says nothing (safetensors are sorted), so the order is read off the names: level by level, first by
the word, as `_ORDER` lists them, then by number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from nas.errors import InputError

# Words of one level of a name, from the first computed to the last. Convolutions and batch norms are two sequences
# (`Modules`), so a block's words need an order among convolutions and among batch norms only.
_ORDER = tuple(
    re.compile(pattern)
    for pattern in (
        r"conv_stem|(conv|bn|norm)[01]?|conv_pw|squeeze|conv_reduce|ghost1|primary_conv|dw_start",
        r"conv_dw|bn_dw|conv_expand|expand1x1|cheap_operation|pw_exp",
        r"se|expand3x3|dw_mid",
        r"conv_pwl|ghost2|pw_proj",
        r"\d+|features|layers|blocks?|(layer|stage|branch|denseblock|denselayer|transition)\d+",
        r"(conv|bn|norm)[2-9]|conv_head|norm_head",
        r"downsample|shortcut",
        r"(fc|classifier)\d?",
    )
)
_NUMBER = re.compile(r"\d+$")
_LEAVES = ("weight", "bias", "running_mean", "running_var")
_COUNTER = "num_batches_tracked"
_OLD_DENSE = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(\d)")  # torchvision's first files: norm.1, now norm1


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """One module's tensors.

    Attributes:
        name: Its name in the file.
        tensors: `weight`, `bias`, `running_mean`, `running_var`: those it has.
    """

    name: str
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Modules:
    """A state dict's convolutions and linear layers (`kernels`) and its batch norms, each in order of execution."""

    kernels: tuple[Module, ...]
    norms: tuple[Module, ...]


def in_order(state: Mapping[str, Tensor], *, where: str) -> Modules:
    """Group a state dict by module and order the modules.

    Args:
        state: Tensors by name.
        where: What to call it in an error.

    Raises:
        InputError: A name is not of a form that is known here.
    """
    found: dict[str, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        name, _, leaf = key.rpartition(".")
        if leaf == _COUNTER:
            continue
        if leaf not in _LEAVES or not name:
            raise _unknown(key, where)
        found.setdefault(name, {})[leaf] = tensor
    sortable = {name: _sortable(name, found, where) for name in found}
    modules = [Module(name=name, tensors=found[name]) for name in sorted(found, key=sortable.__getitem__)]
    return Modules(
        kernels=tuple(module for module in modules if "running_mean" not in module.tensors),
        norms=tuple(module for module in modules if "running_mean" in module.tensors),
    )


def _sortable(name: str, names: Iterable[str], where: str) -> list[tuple[int, int, str]]:
    """What a module's name is sorted by."""
    block, _, last = name.rpartition(".")
    if last == "conv_pw" and f"{block}.conv_pwl" not in names:
        name = f"{block}.conv_pwl"  # timm's depthwise separable block: its only pointwise convolution is the last
    words = _OLD_DENSE.sub(r"\1\2", name).split(".")
    ranks = [next((i for i, known in enumerate(_ORDER) if known.fullmatch(word)), None) for word in words]
    if None in ranks:
        raise _unknown(name, where)
    numbers = [int(found[0]) if (found := _NUMBER.search(word)) else 0 for word in words]
    return [(rank or 0, number, word) for rank, number, word in zip(ranks, numbers, words, strict=True)]


def _unknown(key: str, where: str) -> InputError:
    return InputError(
        f"{where}: '{key}' is not named as in the state dicts of torchvision and timm that are known here; "
        "save the network with nas.net.save_network, or rename its tensors"
    )
