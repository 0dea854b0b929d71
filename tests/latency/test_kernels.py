"""Fused kernels: what one row of a table stands for."""

from __future__ import annotations

import dataclasses
import random

import pytest

from nas.arch import IMAGE, Act, Arch, Kind, Layer, Op
from nas.latency.kernels import fused_kernels, kernel_key
from nas.space import uniform
from tests.net.zoo import SPACE, every_kind

CONV = Op(kind=Kind.CONV, in_channels=16, out_channels=24, in_px=14, out_px=14, kernel=(3, 3), padding=(1, 1))
SE = Op(kind=Kind.SE, in_channels=16, out_channels=16, in_px=7, out_px=7, squeeze=8)
SLICE = Op(kind=Kind.SLICE, in_channels=16, out_channels=8, in_px=7, out_px=7)


def conv(name: str, *inputs: str, act: Act = Act.IDENTITY, width: str = "w") -> Layer:
    return Layer(name=name, kind=Kind.CONV, inputs=inputs or (IMAGE,), width=width, act=act)


def add(name: str, *inputs: str, act: Act = Act.IDENTITY) -> Layer:
    return Layer(name=name, kind=Kind.ADD, inputs=inputs, act=act)


def keys(*layers: Layer) -> list[str]:
    return [kernel.key for kernel in fused_kernels(Arch(layers=layers, widths={IMAGE: 8, "w": 8}, size_px=4))]


def test_a_residual_sum_runs_with_the_convolution_before_it() -> None:
    assert keys(conv("a"), conv("b", "a"), add("x", "a", "b")) == ["conv 8 4px k1", "conv 8 4px k1 +sum"]


def test_what_runs_behind_the_sum_is_in_the_key() -> None:
    assert keys(conv("a"), conv("b", "a"), add("x", "a", "b", act=Act.RELU))[-1] == "conv 8 4px k1 +sum relu"


@pytest.mark.parametrize(
    "layers",
    [
        (conv("a"), conv("b", "a", act=Act.RELU), add("x", "a", "b")),
        (conv("a"), conv("b", "a"), add("x", "a", "b"), add("y", "x", "b")),
        (conv("a"), conv("b", "a"), add("x", "b", "b")),
        (conv("a"), conv("b", "a"), add("x", "b", "a", "b")),
        (conv("a"), conv("b", "a"), add("x", "b", IMAGE)),
        (conv("a"), Layer(name="p", kind=Kind.NORM, inputs=("a",)), add("x", "a", "p")),
    ],
    ids=["activation between", "read again", "twice the same", "three inputs", "image last", "not a convolution"],
)
def test_other_sums_run_alone(layers: tuple[Layer, ...]) -> None:
    assert not any("+sum" in key for key in keys(*layers))
    assert any(key.startswith("add ") for key in keys(*layers))


@pytest.mark.parametrize("seed", range(10))
def test_kernels_cover_every_layer_once_and_in_order(seed: int) -> None:
    arch = SPACE.build(uniform(random.Random(seed)))
    kernels = fused_kernels(arch)
    covered = [name for kernel in kernels for name in kernel.layers]
    ops = dict(zip((layer.name for layer in arch.layers), arch.ops(), strict=True))
    assert sorted(covered) == sorted(ops)
    assert [kernel.layers[0] for kernel in kernels] == [name for name in ops if name in {k.layers[0] for k in kernels}]
    assert all(kernel.op == ops[kernel.layers[0]] for kernel in kernels)


@pytest.mark.parametrize(
    ("op", "changes"),
    [
        (CONV, {"in_channels": 24}),
        (CONV, {"out_channels": 32}),
        (CONV, {"in_px": 28}),
        (CONV, {"kernel": (5, 5), "padding": (2, 2)}),
        (CONV, {"kernel": (3, 1), "padding": (1, 0)}),
        (CONV, {"padding": (0, 0)}),
        (CONV, {"stride": 2}),
        (CONV, {"dilation": 2, "padding": (2, 2)}),
        (CONV, {"groups": 8}),
        (CONV, {"act": Act.RELU}),
        (CONV, {"kind": Kind.MAX_POOL}),
        (CONV, {"arity": 2}),
        (SE, {"squeeze": 4}),
        (SE, {"act": Act.RELU}),
        (SE, {"gate": Act.HSIGMOID}),
        (SLICE, {"begin": 4}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_keys_differ_in_everything_that_costs(op: Op, changes: dict[str, object]) -> None:
    assert kernel_key(dataclasses.replace(op, **changes)) != kernel_key(op)


def test_keys_tell_the_activations_of_squeeze_excite_apart() -> None:
    one = dataclasses.replace(SE, act=Act.RELU, gate=Act.SIGMOID)
    other = dataclasses.replace(SE, act=Act.SIGMOID, gate=Act.RELU)
    assert kernel_key(one) != kernel_key(other)


def test_a_batch_norm_folds_away() -> None:
    assert kernel_key(dataclasses.replace(CONV, norm=False)) == kernel_key(CONV)


def test_depthwise_is_told_from_grouped() -> None:
    depthwise = dataclasses.replace(CONV, out_channels=16, groups=16)
    multiplied = dataclasses.replace(CONV, out_channels=32, groups=16)
    assert kernel_key(depthwise) == "dw 16 14px k3"
    assert kernel_key(multiplied) == "conv 16>32 14px k3 g16"


def test_every_kind_has_a_key_of_its_own() -> None:
    found = [kernel.key for kernel in fused_kernels(every_kind())]
    assert len(set(found)) == len(found)
