"""Memory layouts: where ONNX Runtime's CPU provider leaves its blocked layout, and what it rearranges on the way.

Blocked (NCHWc) means channels in blocks of one vector: 8 with AVX2, 16 with AVX-512. Convolutions are fast there only.
A slice, a shuffle, a flattening, a concatenation of uneven parts or a convolution of groups that are no whole blocks
read plain tensors; each tensor that is needed in the other layout is rearranged once. Read off ONNX Runtime 1.32's
profiles. The changes around squeeze-excite are part of its own kernel, and those of single pixels cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

from nas.arch import IMAGE, Act, Arch, Kind, Layer, Op

USUAL_BLOCK = 8
ALIGNED = 4  # channels that are no multiple of it are never rearranged: what reads them runs plain


class Form(Enum):
    """The layout of a tensor."""

    BLOCKED = "blocked"
    PLAIN = "plain"
    EITHER = "either"  # what reads it need not rearrange it


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One tensor rearranged: the layer that makes it, for the layer that reads it first."""

    tensor: str
    form: Form
    reader: str


@dataclass(slots=True)
class Layouts:
    """What a network's tensors look like.

    Attributes:
        forms: Layer -> the form it writes.
        sums: Convolution -> the residual sum that is computed with it.
        changes: In the order in which they are needed.
    """

    forms: dict[str, Form] = field(default_factory=lambda: {IMAGE: Form.EITHER})
    sums: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)


def layouts(arch: Arch, ops: Sequence[Op], *, block: int) -> Layouts:
    """Follow a network's tensors through the runtime.

    Args:
        arch: The network.
        ops: Its ops.
        block: Channels of a block.
    """
    found = Layouts()
    by_name = {layer.name: (layer, op) for layer, op in zip(arch.layers, ops, strict=True)}
    readers: dict[str, int] = {}
    for layer in arch.layers:
        for source in layer.inputs:
            readers[source] = readers.get(source, 0) + 1
    for layer, op in by_name.values():
        reads, writes = _sum_form(layer, by_name, readers, found) or _form(layer, op, by_name, found.forms, block)
        found.forms[layer.name] = writes if op.out_px > 1 else Form.EITHER
        for source in layer.inputs:
            _require(source, reads, layer.name, found)
    return found


def _sum_form(
    layer: Layer, by_name: dict[str, tuple[Layer, Op]], readers: dict[str, int], found: Layouts
) -> tuple[Form, Form] | None:
    """Forms of a sum that runs with the convolution before it: its last input, when only the sum reads it."""
    if layer.kind is not Kind.ADD or len(layer.inputs) != 2 or layer.inputs[-1] not in by_name:
        return None
    last = by_name[layer.inputs[-1]][0]
    if last.kind is not Kind.CONV or last.act is not Act.IDENTITY or readers[last.name] > 1:
        return None
    form, other = found.forms[last.name], found.forms[layer.inputs[0]]
    if form is Form.BLOCKED and other is Form.PLAIN:
        return None
    found.sums[last.name] = layer.name
    return form, form


def _require(source: str, form: Form, reader: str, found: Layouts) -> None:
    have = found.forms[source]
    if form is have or Form.EITHER in (form, have):
        return
    if not any(change.tensor == source for change in found.changes):
        found.changes.append(Change(tensor=source, form=form, reader=reader))


def _form(
    layer: Layer, op: Op, by_name: dict[str, tuple[Layer, Op]], forms: dict[str, Form], block: int
) -> tuple[Form, Form]:
    """The form that a layer reads and the one it writes."""
    sources = [forms[source] for source in layer.inputs]
    match op.kind:
        case Kind.CONV:
            return _conv_form(op, block)
        case Kind.MAX_POOL | Kind.AVG_POOL:
            form = Form.BLOCKED if op.in_channels % block == 0 else Form.PLAIN
            return form, form
        case Kind.ADD:
            form = Form.PLAIN if Form.PLAIN in sources else Form.BLOCKED
            return form, form
        case Kind.CONCAT:
            whole = all(name in by_name and by_name[name][1].out_channels % block == 0 for name in layer.inputs)
            form = Form.BLOCKED if whole and set(sources) == {Form.BLOCKED} else Form.PLAIN
            return form, form
        case Kind.SLICE | Kind.SHUFFLE:
            return Form.PLAIN, Form.PLAIN
        case Kind.NORM | Kind.ACT:
            return Form.EITHER, sources[0]
        case Kind.LINEAR:
            return (Form.PLAIN if op.in_px > 1 else Form.EITHER), Form.EITHER
        case Kind.SE | Kind.GLOBAL_POOL:
            return Form.EITHER, Form.EITHER
        case _:
            assert_never(op.kind)


def _conv_form(op: Op, block: int) -> tuple[Form, Form]:
    each_in, each_out = op.in_channels // op.groups, op.out_channels // op.groups
    if op.depthwise:
        blocked = op.in_channels % ALIGNED == 0
    elif op.groups > 1:
        blocked = each_in % block == 0 and each_out % block == 0
    elif op.in_channels < block:
        return Form.EITHER, Form.BLOCKED  # reads the few channels as they are
    else:
        blocked = op.in_channels % ALIGNED == 0
    form = Form.BLOCKED if blocked else Form.PLAIN
    return form, form
