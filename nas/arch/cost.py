"""Costs read off ops: parameters, multiply-accumulates, memory traffic.

Counting rules are those of the literature's tables: MACs of convolutions and linear layers only (squeeze-excite
counts as two 1x1 convolutions), parameters as a training framework stores them (batch norm: scale and shift).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from nas.arch.arch import Arch
from nas.arch.op import Kind, Op

FLOAT32_BYTES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a network costs, independent of any device."""

    params: int
    macs: int
    traffic_bytes: int


def op_params(op: Op) -> int:
    """Trainable parameters of one op."""
    match op.kind:
        case Kind.CONV:
            weights = op.out_channels * (op.in_channels // op.groups) * op.kernel[0] * op.kernel[1]
            return weights + (2 if op.norm else op.bias) * op.out_channels
        case Kind.NORM:
            return 2 * op.out_channels
        case Kind.SE:
            return 2 * op.in_channels * op.squeeze + op.squeeze + op.in_channels
        case Kind.LINEAR:
            return op.out_channels * (op.in_features + op.bias)
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
            return 0
        case _:
            assert_never(op.kind)


def op_macs(op: Op) -> int:
    """Multiply-accumulates of one op for one image."""
    match op.kind:
        case Kind.CONV:
            per_pixel = op.out_channels * (op.in_channels // op.groups) * op.kernel[0] * op.kernel[1]
            return per_pixel * op.out_px * op.out_px
        case Kind.SE:
            return 2 * op.in_channels * op.squeeze
        case Kind.LINEAR:
            return op.out_channels * op.in_features
        case (
            Kind.NORM
            | Kind.ACT
            | Kind.ADD
            | Kind.CONCAT
            | Kind.SLICE
            | Kind.SHUFFLE
            | Kind.MAX_POOL
            | Kind.AVG_POOL
            | Kind.GLOBAL_POOL
        ):
            return 0
        case _:
            assert_never(op.kind)


def op_traffic_bytes(op: Op) -> int:
    """Bytes read and written by one op in float32 (inputs, output, weights): the MAC of ShuffleNetV2."""
    inputs = 1 if op.kind is Kind.CONCAT else op.arity
    read = inputs * op.in_channels * op.in_px * op.in_px
    written = op.out_channels * op.out_px * op.out_px
    return FLOAT32_BYTES * (read + written + op_params(op))


def cost(arch: Arch) -> Cost:
    """Sum the costs of all ops of a network."""
    ops = arch.ops()
    return Cost(
        params=sum(map(op_params, ops)),
        macs=sum(map(op_macs, ops)),
        traffic_bytes=sum(map(op_traffic_bytes, ops)),
    )
