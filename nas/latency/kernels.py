"""Fused kernels: what a runtime really executes, one row of its table each.

ONNX Runtime runs a convolution with its folded batch norm, activation and, where it reads nothing else, the residual
sum behind it in one node; squeeze-excite runs as a fixed little group of nodes with its layout changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nas.arch import Act, Arch, Kind, Op
from nas.latency.layout import USUAL_BLOCK, Change, Form, layouts

# Behind a layer's name: the rearrangement of what it makes.
TO_FORM: Mapping[Form, str] = MappingProxyType({Form.PLAIN: "to_plain", Form.BLOCKED: "to_blocked"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Kernel:
    """One fused kernel of a network.

    Attributes:
        key: The table's key, equal for kernels that cost the same; readable.
        layers: Names of the layers it computes, the first one gives the op.
        op: The first layer, bound to numbers.
    """

    key: str
    layers: tuple[str, ...]
    op: Op


def fused_kernels(arch: Arch, *, block: int = USUAL_BLOCK) -> tuple[Kernel, ...]:
    """The kernels that ONNX Runtime's CPU provider executes for a network, in order.

    Args:
        arch: The network.
        block: Channels in a block of its blocked layout, which decides where tensors are rearranged.
    """
    ops = arch.ops()
    found = layouts(arch, ops, block=block)
    by_name = dict(zip((layer.name for layer in arch.layers), ops, strict=True))
    fused, splits = set(found.sums.values()), _splits(arch)
    changes: dict[str, list[Kernel]] = {}
    for change in found.changes:
        changes.setdefault(change.reader, []).append(_rearrangement(change, by_name[change.tensor]))
    kernels: list[Kernel] = []
    for layer, op in by_name.items():
        kernels += changes.get(layer, ())
        if layer in splits:
            kernels += [_split(splits[layer], op)] if splits[layer][0] == layer else []
        elif layer not in fused:
            total = found.sums.get(layer)
            key = kernel_key(op, total=by_name[total] if total else None, plain=_runs_plain(op, found.forms[layer]))
            kernels.append(Kernel(key=key, layers=(layer, total) if total else (layer,), op=op))
    return tuple(kernels)


def _rearrangement(change: Change, op: Op) -> Kernel:
    key = f"to_{change.form.value} {op.out_channels} {op.out_px}px"
    return Kernel(key=key, layers=(f"{change.tensor}/{TO_FORM[change.form]}",), op=op)


def _splits(arch: Arch) -> dict[str, tuple[str, ...]]:
    """Slice -> all slices of its source, where these are several: they run as one split."""
    slices: dict[str, list[str]] = {}
    for layer in arch.layers:
        if layer.kind is Kind.SLICE:
            slices.setdefault(layer.inputs[0], []).append(layer.name)
    return {name: tuple(names) for names in slices.values() if len(names) > 1 for name in names}


def _split(names: tuple[str, ...], op: Op) -> Kernel:
    return Kernel(key=f"slice {op.in_channels} {op.in_px}px x{len(names)}", layers=names, op=op)


def _runs_plain(op: Op, form: Form) -> bool:
    """Whether an op that has a fast form runs in the slow one."""
    fast = (Kind.CONV, Kind.MAX_POOL, Kind.AVG_POOL, Kind.ADD, Kind.CONCAT, Kind.NORM, Kind.ACT)
    return form is Form.PLAIN and op.kind in fast


def kernel_key(op: Op, *, total: Op | None = None, plain: bool = False) -> str:
    """Readable key of an op and, where there is one, the residual sum computed with it: all that the cost depends on.

    Args:
        op: The op.
        total: The sum.
        plain: Whether it runs outside of the blocked layout.

    >>> from nas.arch import Op
    >>> kernel_key(Op(kind=Kind.CONV, in_channels=24, out_channels=72, in_px=14, out_px=14, act=Act.RELU))
    'conv 24>72 14px k1 relu'
    """
    name = "dw" if op.depthwise else str(op.kind)
    channels = str(op.in_channels) if op.in_channels == op.out_channels else f"{op.in_channels}>{op.out_channels}"
    words = [name, channels, f"{op.in_px}px"]
    if op.kind in (Kind.CONV, Kind.MAX_POOL, Kind.AVG_POOL):
        words.append(f"k{op.kernel[0]}" if op.kernel[0] == op.kernel[1] else f"k{op.kernel[0]}x{op.kernel[1]}")
        same = tuple((size - 1) * op.dilation // 2 for size in op.kernel)
        words += [f"p{op.padding[0]}x{op.padding[1]}"] if op.padding != same else []
        words += ["e{}x{}".format(*op.past_end)] if op.ceil else []
    words += [f"s{op.stride}"] if op.stride > 1 else []
    words += [f"d{op.dilation}"] if op.dilation > 1 else []
    words += [f"g{op.groups}"] if op.groups > 1 and not op.depthwise else []
    words += [f"x{op.arity}"] if op.arity > 1 else []
    words += [f"sq{op.squeeze}", str(op.gate)] if op.squeeze else []
    words += [f"from{op.begin}"] if op.begin else []
    words += ["plain"] if plain else []
    words += [str(op.act)] if op.act is not Act.IDENTITY else []
    words += ["+sum"] if total else []
    words += [str(total.act)] if total and total.act is not Act.IDENTITY else []
    return " ".join(words)
