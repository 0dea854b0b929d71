"""Folded weights: what inference needs of a network, batch norm folded into the convolution before it.

Keys and shapes, float32:

    CONV    `<layer>.weight` (out, in / groups, kernel, kernel), `<layer>.bias` (out,), zero where it has none
    LINEAR  `<layer>.weight` (out, in_features), `<layer>.bias` (out,)
    NORM    `<layer>.scale` (channels,), `<layer>.shift` (channels,)
    SE      `<layer>.down.weight` (squeeze, channels), `<layer>.down.bias`, `<layer>.up.weight` (channels, squeeze),
            `<layer>.up.bias`
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nas.arch import Arch, Kind, Op

Weights = Mapping[str, NDArray[np.float32]]

POOL = 65521  # prime, so that rows of a weight differ


def weight_shapes(name: str, op: Op) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of one layer's folded weights."""
    match op.kind:
        case Kind.CONV:
            shape = (op.out_channels, op.in_channels // op.groups, *op.kernel)
            return {f"{name}.weight": shape, f"{name}.bias": (op.out_channels,)}
        case Kind.LINEAR:
            return {f"{name}.weight": (op.out_channels, op.in_features), f"{name}.bias": (op.out_channels,)}
        case Kind.NORM:
            return {f"{name}.scale": (op.out_channels,), f"{name}.shift": (op.out_channels,)}
        case Kind.SE:
            return {
                f"{name}.down.weight": (op.squeeze, op.in_channels),
                f"{name}.down.bias": (op.squeeze,),
                f"{name}.up.weight": (op.in_channels, op.squeeze),
                f"{name}.up.bias": (op.in_channels,),
            }
        case _:
            return {}


def random_weights(arch: Arch, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Weights for timing: variance-preserving, so that no activation is denormal, infinite or all zero.

    Values repeat after `POOL` numbers: drawing millions would cost more than the timing.
    """
    pool = np.random.default_rng(seed).standard_normal(POOL, dtype=np.float32)
    weights: dict[str, NDArray[np.float32]] = {}
    for layer, op in zip(arch.layers, arch.ops(), strict=True):
        for key, shape in weight_shapes(layer.name, op).items():
            fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
            scale = np.sqrt(2.0 / fan_in) if len(shape) > 1 else 0.1
            values = np.resize(pool, shape) * np.float32(scale)
            weights[key] = np.abs(values) + np.float32(0.5) if key.endswith(".scale") else values
    return weights
