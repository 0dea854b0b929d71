"""Fused kernels: what a runtime really executes, one row of its table each.

ONNX Runtime runs a convolution with its folded batch norm, activation and, where it reads nothing else, the residual
sum behind it in one node; squeeze-excite runs as a fixed little group of nodes with its layout changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from nas.arch import Act, Arch, Kind, Layer, Op


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


def fused_kernels(arch: Arch) -> tuple[Kernel, ...]:
    """The kernels that ONNX Runtime's CPU provider executes for a network, in order."""
    ops = arch.ops()
    sums = _fused_sums(arch)
    by_name = dict(zip((layer.name for layer in arch.layers), ops, strict=True))
    fused = set(sums.values())
    return tuple(
        Kernel(
            key=kernel_key(op, total=by_name.get(sums.get(layer.name, ""))),
            layers=(layer.name, sums[layer.name]) if layer.name in sums else (layer.name,),
            op=op,
        )
        for layer, op in zip(arch.layers, ops, strict=True)
        if layer.name not in fused
    )


def _fused_sums(arch: Arch) -> dict[str, str]:
    """Convolution -> the residual sum computed with it: the last input of an ADD, when only the ADD reads it."""
    readers: dict[str, int] = {}
    for layer in arch.layers:
        for source in layer.inputs:
            readers[source] = readers.get(source, 0) + 1
    by_name = {layer.name: layer for layer in arch.layers}
    return {
        layer.inputs[-1]: layer.name
        for layer in arch.layers
        if layer.kind is Kind.ADD and len(layer.inputs) == 2 and _can_absorb(by_name.get(layer.inputs[-1]), readers)
    }


def _can_absorb(layer: Layer | None, readers: dict[str, int]) -> bool:
    return layer is not None and layer.kind is Kind.CONV and layer.act is Act.IDENTITY and readers[layer.name] == 1


def kernel_key(op: Op, *, total: Op | None = None) -> str:
    """Readable key of an op and, where there is one, the residual sum computed with it: all that the cost depends on.

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
    words += [f"s{op.stride}"] if op.stride > 1 else []
    words += [f"d{op.dilation}"] if op.dilation > 1 else []
    words += [f"g{op.groups}"] if op.groups > 1 and not op.depthwise else []
    words += [f"x{op.arity}"] if op.arity > 1 else []
    words += [f"sq{op.squeeze}", str(op.gate)] if op.squeeze else []
    words += [f"from{op.begin}"] if op.begin else []
    words += [str(op.act)] if op.act is not Act.IDENTITY else []
    words += ["+sum"] if total else []
    words += [str(total.act)] if total and total.act is not Act.IDENTITY else []
    return " ".join(words)
