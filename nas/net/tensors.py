"""Which tensors a network has: names, shapes and first values.

`<layer>.weight` with `<layer>.gamma`, `.beta` (batch norm), `.bias` or neither; squeeze-excite `<layer>.down.weight`
(squeeze, c), `.down.bias`, `.up.weight` (c, squeeze), `.up.bias`; running statistics `<layer>.mean`, `.var`.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import assert_never

import torch
from torch import Tensor

from nas.arch import IMAGE, Act, Arch, Kind, Layer, Op

Shapes = dict[str, tuple[int, ...]]


def parameter_shapes(arch: Arch) -> Shapes:
    """Name -> shape of every trainable tensor, in the layers' order."""
    shapes: Shapes = {}
    for layer, op in zip(arch.layers, arch.ops(), strict=True):
        shapes |= {f"{layer.name}.{key}": shape for key, shape in _op_shapes(op).items()}
    return shapes


def statistic_shapes(arch: Arch) -> Shapes:
    """Name -> shape of the running means and variances of every batch norm."""
    return {
        f"{layer.name}.{key}": (op.out_channels,)
        for layer, op in zip(arch.layers, arch.ops(), strict=True)
        if has_norm(op)
        for key in ("mean", "var")
    }


def has_norm(op: Op) -> bool:
    """Whether an op normalises with batch statistics."""
    return op.kind is Kind.NORM or (op.kind is Kind.CONV and op.norm)


def tensor_keys(op: Op) -> tuple[str, ...]:
    """What follows the layer's name in the names of its tensors, running statistics included."""
    return (*_op_shapes(op), *(("mean", "var") if has_norm(op) else ()))


def initial_parameters(arch: Arch, *, seed: int) -> dict[str, Tensor]:
    """Draw the first values: He normal by fan-out, zero biases, and the last gamma of a residual branch zero.

    A residual block so starts as the identity; which gamma that is follows from the layers that read each other.
    """
    generator = torch.Generator().manual_seed(seed)
    closed = {f"{name}.gamma" for name in _branch_ends(arch)}
    groups = {f"{layer.name}.weight": op.groups for layer, op in zip(arch.layers, arch.ops(), strict=True)}
    return {
        name: torch.zeros(shape) if name in closed else _initial(name, shape, groups.get(name, 1), generator)
        for name, shape in parameter_shapes(arch).items()
    }


def _op_shapes(op: Op) -> Shapes:
    out = op.out_channels
    match op.kind:
        case Kind.CONV:
            weight = (out, op.in_channels // op.groups, *op.kernel)
            return {"weight": weight, **dict.fromkeys(_vectors(op), (out,))}
        case Kind.NORM:
            return {"gamma": (out,), "beta": (out,)}
        case Kind.SE:
            return {
                "down.weight": (op.squeeze, out),
                "down.bias": (op.squeeze,),
                "up.weight": (out, op.squeeze),
                "up.bias": (out,),
            }
        case Kind.LINEAR:
            return {"weight": (out, op.in_features), **dict.fromkeys(_vectors(op), (out,))}
        case (
            Kind.ACT
            | Kind.ADD
            | Kind.CONCAT
            | Kind.SLICE
            | Kind.SHUFFLE
            | Kind.MAX_POOL
            | Kind.AVG_POOL
            | Kind.GLOBAL_POOL
        ):
            return {}
        case _:
            assert_never(op.kind)


def _vectors(op: Op) -> tuple[str, ...]:
    """What a convolution or linear layer has besides its weight, one number an output channel each."""
    if has_norm(op):
        return "gamma", "beta"
    return ("bias",) if op.bias else ()


def _initial(name: str, shape: tuple[int, ...], groups: int, generator: torch.Generator) -> Tensor:
    if name.endswith(".gamma"):
        return torch.ones(shape)
    if not name.endswith(".weight"):
        return torch.zeros(shape)
    if len(shape) == 2:
        return torch.randn(shape, generator=generator) * math.sqrt(1 / shape[1])
    fan_out = shape[0] * shape[2] * shape[3] / groups
    return torch.randn(shape, generator=generator) * math.sqrt(2 / fan_out)


def _branch_ends(arch: Arch) -> set[str]:
    """Names of the convolutions that end a residual branch: of a sum's inputs the deepest, when only the sum reads it.

    The shallower one is the shortcut, which may be a convolution too.
    """
    readers = Counter(source for layer in arch.layers for source in layer.inputs)
    linear = {layer.name for layer in arch.layers if layer.kind is Kind.CONV and layer.norm and not _has_act(layer)}
    depths, ends = {IMAGE: 0}, set()
    for layer in arch.layers:
        depths[layer.name] = 1 + max(depths[name] for name in layer.inputs)
        if _is_sum(layer):
            deepest = max(reversed(layer.inputs), key=depths.__getitem__)
            ends |= {deepest} if deepest in linear and readers[deepest] == 1 else set()
    return ends


def _has_act(layer: Layer) -> bool:
    return layer.act is not Act.IDENTITY


def _is_sum(layer: Layer) -> bool:
    return layer.kind is Kind.ADD and len(layer.inputs) > 1
