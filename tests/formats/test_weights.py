"""Folded weights: their keys are those that torch's networks fold to, and random ones are fit for timing."""

from __future__ import annotations

import numpy as np

from nas.formats.weights import random_weights, weight_shapes
from nas.net import Network, fold
from tests.net.zoo import every_kind


def test_keys_and_shapes_are_those_of_folded_networks() -> None:
    arch = every_kind()
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, op in zip(arch.layers, arch.ops(), strict=True):
        shapes |= weight_shapes(layer.name, op)
    assert {key: value.shape for key, value in fold(Network(arch)).items()} == shapes
    assert {key: value.shape for key, value in random_weights(arch).items()} == shapes


def test_random_weights_are_seeded_and_preserve_variance() -> None:
    arch = every_kind(half=32, mid=64)
    weights, same, other = random_weights(arch), random_weights(arch), random_weights(arch, seed=1)
    assert all(np.array_equal(weights[key], same[key]) for key in weights)
    assert not np.array_equal(weights["stem.weight"], other["stem.weight"])
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in weights.values())
    fan_in = np.prod(weights["stem.weight"].shape[1:])
    assert 0.7 < weights["stem.weight"].std() * np.sqrt(fan_in / 2) < 1.3
    assert (weights["norm.scale"] >= 0.5).all()
