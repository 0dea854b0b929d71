"""The one walk over a network: layers in order, tensors by name, batch norm by strategy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

import torch
from torch import Tensor
from torch.nn import functional

from nas.arch import IMAGE, LEAKY_SLOPE, Act, Arch, Kind, Op
from nas.net.norm import Norm

Watch = Callable[[str, Tensor], None]


def run(arch: Arch, tensors: Mapping[str, Tensor], x: Tensor, norm: Norm, *, watch: Watch | None = None) -> Tensor:
    """Compute a network's output.

    Args:
        arch: What to compute.
        tensors: Parameters by name, of the shapes that `parameter_shapes(arch)` gives.
        x: Images (n, image channels, size_px, size_px), float.
        norm: Batch norm.
        watch: Called with each layer's name and value, activation included.

    Returns:
        Output of the last layer; logits (n, classes) of a classifier, which ends in a linear layer or a global pool.
    """
    values = {IMAGE: x}
    last_reader = {source: layer.name for layer in arch.layers for source in layer.inputs}
    for layer, op in zip(arch.layers, arch.ops(), strict=True):
        inputs = [values[source] for source in layer.inputs]
        value = _compute(layer.name, op, inputs, tensors, norm)
        values[layer.name] = value if op.kind is Kind.SE else activate(value, op.act)
        if watch:
            watch(layer.name, values[layer.name])
        for source in set(layer.inputs):
            if last_reader[source] == layer.name:
                del values[source]
    output = values[arch.layers[-1].name]
    return output.flatten(1) if op.kind is Kind.GLOBAL_POOL else output


def activate(x: Tensor, act: Act) -> Tensor:  # noqa: PLR0911 - one return for each function
    """Apply an activation function."""
    match act:
        case Act.IDENTITY:
            return x
        case Act.RELU:
            return functional.relu(x)
        case Act.RELU6:
            return functional.relu6(x)
        case Act.HSWISH:
            return functional.hardswish(x)
        case Act.HSIGMOID:
            return functional.hardsigmoid(x)
        case Act.SIGMOID:
            return torch.sigmoid(x)
        case Act.SWISH:
            return functional.silu(x)
        case Act.GELU:
            return functional.gelu(x)
        case Act.TANH:
            return torch.tanh(x)
        case Act.LEAKY_RELU:
            return functional.leaky_relu(x, LEAKY_SLOPE)
        case _:
            assert_never(act)


def _compute(  # noqa: PLR0911 - one return for each kind
    name: str, op: Op, inputs: list[Tensor], tensors: Mapping[str, Tensor], norm: Norm
) -> Tensor:
    """The layer's value before its activation; squeeze-excite's is inside."""
    x = inputs[0]
    match op.kind:
        case Kind.CONV:
            return _conv(name, op, x, tensors, norm)
        case Kind.NORM:
            return norm(name, x, tensors[f"{name}.gamma"], tensors[f"{name}.beta"])
        case Kind.ACT:
            return x
        case Kind.SE:
            return _squeeze_excite(name, op, x, tensors)
        case Kind.ADD:
            return sum(inputs[1:], start=x)
        case Kind.CONCAT:
            return torch.cat(inputs, dim=1)
        case Kind.SLICE:
            return x.narrow(1, op.begin, op.out_channels)
        case Kind.SHUFFLE:
            n, channels, height, width = x.shape
            groups = x.reshape(n, op.groups, channels // op.groups, height, width)
            return groups.transpose(1, 2).reshape(n, channels, height, width)
        case Kind.MAX_POOL:
            return functional.max_pool2d(x, op.kernel, op.stride, op.padding, op.dilation, ceil_mode=op.ceil)
        case Kind.AVG_POOL:
            return functional.avg_pool2d(x, op.kernel, op.stride, op.padding, count_include_pad=op.counts_padding)
        case Kind.GLOBAL_POOL:
            return functional.adaptive_avg_pool2d(x, 1)
        case Kind.LINEAR:
            return functional.linear(
                x.flatten(1), tensors[f"{name}.weight"], tensors[f"{name}.bias"] if op.bias else None
            )
        case _:
            assert_never(op.kind)


def _conv(name: str, op: Op, x: Tensor, tensors: Mapping[str, Tensor], norm: Norm) -> Tensor:
    bias = tensors[f"{name}.bias"] if op.bias and not op.norm else None
    y = functional.conv2d(x, tensors[f"{name}.weight"], bias, op.stride, op.padding, op.dilation, op.groups)
    if op.norm:
        y = norm(name, y, tensors[f"{name}.gamma"], tensors[f"{name}.beta"])
    return y


def _squeeze_excite(name: str, op: Op, x: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    mean = functional.adaptive_avg_pool2d(x, 1).flatten(1)  # (n, c)
    down = functional.linear(mean, tensors[f"{name}.down.weight"], tensors[f"{name}.down.bias"])
    up = functional.linear(activate(down, op.act), tensors[f"{name}.up.weight"], tensors[f"{name}.up.bias"])
    return x * activate(up, op.gate)[:, :, None, None]
