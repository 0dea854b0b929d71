"""Batch norm folded into the convolution before it: the weights that are deployed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from nas.arch import Kind, Op
from nas.net.modules import Network
from nas.net.norm import EPSILON
from nas.net.tensors import tensor_keys

Array = np.ndarray


def fold(network: Network) -> dict[str, Array]:
    """Fold a network's running statistics into its weights, computed in float64.

    Returns:
        Contiguous float32 arrays: CONV and LINEAR `<layer>.weight`, `<layer>.bias` (zero where there is none); NORM
        `<layer>.scale`, `<layer>.shift`; SE `<layer>.down.weight` (squeeze, c), `.down.bias`, `.up.weight`
        (c, squeeze), `.up.bias`.
    """
    weights: dict[str, Array] = {}
    tensors = network.tensors()
    for layer, op in zip(network.arch.layers, network.arch.ops(), strict=True):
        own = {key: tensors[f"{layer.name}.{key}"] for key in tensor_keys(op)}
        weights |= {f"{layer.name}.{key}": value for key, value in _fold_layer(op, own).items()}
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in weights.items()}


def _fold_layer(op: Op, own: Mapping[str, Tensor]) -> dict[str, Array]:
    arrays = {key: tensor.detach().cpu().double().numpy() for key, tensor in own.items()}
    if op.kind in (Kind.CONV, Kind.LINEAR) and not (op.norm or op.bias):
        return {**arrays, "bias": np.zeros(op.out_channels)}
    if "gamma" not in arrays:
        return arrays
    scale = arrays["gamma"] / np.sqrt(arrays["var"] + EPSILON)
    shift = arrays["beta"] - arrays["mean"] * scale
    if op.kind is Kind.NORM:
        return {"scale": scale, "shift": shift}
    return {"weight": arrays["weight"] * scale[:, None, None, None], "bias": shift}
