"""Canonical digest: equal for networks that compute the same function family, whatever their layers are called.

Names, the order of independent layers, layers that do not reach the output and layers that do nothing (an identity
activation, a shuffle of one group, a concat of one input) leave no trace; whether a result is shared between two
readers or computed twice does.
"""

from __future__ import annotations

import dataclasses
import hashlib
import operator

from nas.arch.arch import Arch
from nas.arch.layer import IMAGE
from nas.arch.op import Act, Kind, Op

DIGEST_CHARS = 16
_LATER = ("bias", "ceil", "counts_padding")  # told only where not at their default: digests outlive versions
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Op)}
_values = operator.attrgetter(*(name for name in _DEFAULTS if name not in _LATER))


def digest(arch: Arch) -> str:
    """Return the canonical digest of a network, 16 hexadecimal characters."""
    source = _resolve(arch)
    nodes = _live_nodes(arch, source)
    labels = _subtree_hashes(nodes)
    numbers: dict[str, int] = {IMAGE: 0}
    lines = [f"image {arch.widths[IMAGE]} {arch.size_px}"]

    def visit(name: str) -> int:
        if name not in numbers:
            op, inputs = nodes[name]
            if op.kind is Kind.ADD:
                inputs = tuple(sorted(inputs, key=lambda source: labels[source]))
            read = [visit(source) for source in inputs]
            lines.append(f"{_label(op)} {read}")
            numbers[name] = len(numbers)
        return numbers[name]

    visit(source[arch.layers[-1].name])
    return _hash("\n".join(lines))


def _resolve(arch: Arch) -> dict[str, str]:
    """Layer name -> the layer that really makes its value, do-nothing layers skipped."""
    source = {IMAGE: IMAGE}
    for layer, op in zip(arch.layers, arch.ops(), strict=True):
        source[layer.name] = source[layer.inputs[0]] if _does_nothing(op) else layer.name
    return source


def _live_nodes(arch: Arch, source: dict[str, str]) -> dict[str, tuple[Op, tuple[str, ...]]]:
    return {
        layer.name: (op, tuple(source[name] for name in layer.inputs))
        for layer, op in zip(arch.layers, arch.ops(), strict=True)
        if not _does_nothing(op)
    }


def _subtree_hashes(nodes: dict[str, tuple[Op, tuple[str, ...]]]) -> dict[str, str]:
    labels = {IMAGE: IMAGE}
    for name, (op, inputs) in nodes.items():
        parts = [labels[source] for source in inputs]
        if op.kind is Kind.ADD:
            parts.sort()
        labels[name] = _hash(" ".join([_label(op), *parts]))
    return labels


def _does_nothing(op: Op) -> bool:
    if op.act is not Act.IDENTITY:
        return False
    match op.kind:
        case Kind.ACT:
            return True
        case Kind.SHUFFLE:
            return op.groups in (1, op.in_channels)
        case Kind.CONCAT | Kind.ADD:
            return op.arity == 1
        case Kind.SLICE:
            return op.out_channels == op.in_channels
        case Kind.GLOBAL_POOL:
            return op.in_px == 1
        case Kind.MAX_POOL | Kind.AVG_POOL:
            return op.kernel == (1, 1) and op.stride == 1 and op.padding == (0, 0)
        case _:
            return False


def _label(op: Op) -> str:
    later = (f"{name} {getattr(op, name)}" for name in _LATER if getattr(op, name) != _DEFAULTS[name])
    return " ".join([*map(str, _values(op)), *later])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARS]
