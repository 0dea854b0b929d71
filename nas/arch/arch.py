"""`Arch`: the one description of a network that every reading starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import assert_never

from nas.arch.layer import IMAGE, Layer
from nas.arch.op import Kind, Op
from nas.errors import InputError, did_you_mean


@dataclass(frozen=True, kw_only=True, slots=True)
class Arch:
    """Layers in execution order, the channels of every named width, and the input size.

    Attributes:
        layers: Each reads only layers before it, or `IMAGE`; the last one is the output.
        widths: Width name -> channels, `IMAGE` (input channels) and `CLASSES` included.
        size_px: Height and width of the input image, pixels.

    Raises:
        InputError: The layers or widths do not make a network; the text names the layer.
    """

    layers: tuple[Layer, ...]
    widths: Mapping[str, int]
    size_px: int
    _ops: tuple[Op, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", MappingProxyType(dict(self.widths)))
        object.__setattr__(self, "_ops", self._bound())

    def __hash__(self) -> int:
        return hash((self.layers, tuple(sorted(self.widths.items())), self.size_px))

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.layers, dict(self.widths), self.size_px))

    def ops(self) -> tuple[Op, ...]:
        """The layers with their names bound to numbers: one `Op` a layer, in the layers' order."""
        return self._ops

    def with_widths(self, changes: Mapping[str, int]) -> Arch:
        """Return the same network with some widths changed.

        Raises:
            InputError: A name is not a width of this network, or the change breaks a layer.
        """
        for name in changes:
            if name not in self.widths:
                raise InputError(f"no width named '{name}'{did_you_mean(name, self.widths)}")
        return replace(self, widths={**self.widths, **changes})

    @property
    def classes(self) -> int:
        """Length of the output."""
        return self.ops()[-1].out_channels

    def _bound(self) -> tuple[Op, ...]:
        if self.size_px < 1:
            raise InputError(f"size_px is {self.size_px}, must be at least 1")
        shapes = {IMAGE: (self._channels(IMAGE, IMAGE), self.size_px)}
        ops = []
        for layer in self.layers:
            op = self._bind(layer, shapes)
            if layer.name in shapes:
                raise InputError(f"layer name '{layer.name}' is used twice; names must be unique")
            shapes[layer.name] = (op.out_channels, op.out_px)
            ops.append(op)
        if not ops:
            raise InputError("an architecture needs at least one layer")
        return tuple(ops)

    def _channels(self, width: str, where: str) -> int:
        channels = self.widths.get(width, 0)
        if channels < 1:
            raise InputError(f"layer '{where}': width '{width}' is {channels}, must be at least 1")
        return channels

    def _bind(self, layer: Layer, shapes: Mapping[str, tuple[int, int]]) -> Op:
        inputs = [_input(name, layer, shapes) for name in layer.inputs]
        if not inputs:
            raise InputError(f"layer '{layer.name}' has no input")
        channels, in_px = inputs[0]
        if any(px != in_px for _, px in inputs):
            raise InputError(f"layer '{layer.name}': inputs of sizes {[px for _, px in inputs]} px must be equal")
        match layer.kind:
            case Kind.CONV | Kind.MAX_POOL | Kind.AVG_POOL:
                return self._bind_window(layer, channels, in_px)
            case Kind.LINEAR:
                out, out_px = self._channels(layer.width, layer.name), 1
            case Kind.GLOBAL_POOL:
                out, out_px = channels, 1
            case Kind.CONCAT:
                channels = out = sum(count for count, _ in inputs)
                out_px = in_px
            case Kind.SLICE:
                out, out_px = self._channels(layer.width, layer.name), in_px
            case Kind.ADD:
                if any(count != channels for count, _ in inputs):
                    counts = [count for count, _ in inputs]
                    raise InputError(f"layer '{layer.name}': adds {counts} channels, must be equal")
                out, out_px = channels, in_px
            case Kind.NORM | Kind.ACT | Kind.SE | Kind.SHUFFLE:
                out, out_px = channels, in_px
            case _:
                assert_never(layer.kind)
        begin = sum(self._channels(width, layer.name) for width in layer.skip)
        if layer.kind is Kind.SLICE and begin + out > channels:
            raise InputError(f"layer '{layer.name}': channels {begin}..{begin + out} of {channels}")
        if channels % layer.groups:
            raise InputError(f"layer '{layer.name}': {channels} channels in {layer.groups} groups")
        return Op(
            kind=layer.kind,
            in_channels=channels,
            out_channels=out,
            in_px=in_px,
            out_px=out_px,
            groups=layer.groups,
            act=layer.act,
            squeeze=self._channels(layer.squeeze, layer.name) if layer.kind is Kind.SE else 0,
            gate=layer.gate,
            begin=begin,
            norm=layer.kind is Kind.NORM,
            arity=len(inputs),
            bias=layer.bias or layer.kind is not Kind.LINEAR,
        )

    def _bind_window(self, layer: Layer, channels: int, in_px: int) -> Op:
        pool = layer.kind is not Kind.CONV
        if layer.kind is Kind.AVG_POOL and layer.dilation > 1:
            raise InputError(f"layer '{layer.name}': dilation {layer.dilation}; average pools have none")
        if layer.ceil and layer.kind is not Kind.MAX_POOL:
            raise InputError(f"layer '{layer.name}': 'ceil' is for max pools, not {layer.kind}; set 'padding'")
        out = channels if layer.depthwise or pool else self._channels(layer.width, layer.name)
        groups = channels if layer.depthwise else layer.groups
        if channels % groups or out % groups:
            raise InputError(f"layer '{layer.name}': {channels} -> {out} channels in {groups} groups")
        same = tuple((size - 1) * layer.dilation // 2 for size in layer.kernel)
        padding = layer.padding or (same[0], same[1])
        (out_px, past_end), (out_width_px, _) = (_windows(layer, in_px, axis, padding[axis]) for axis in (0, 1))
        if out_px != out_width_px:
            raise InputError(f"layer '{layer.name}': output of {out_px} x {out_width_px} px; feature maps are square")
        if min(out_px, *layer.kernel) < 1:
            raise InputError(f"layer '{layer.name}': kernel {layer.kernel} does not fit an input of {in_px} px")
        return Op(
            kind=layer.kind,
            in_channels=channels,
            out_channels=out,
            in_px=in_px,
            out_px=out_px,
            kernel=layer.kernel,
            stride=layer.stride,
            padding=padding,
            dilation=layer.dilation,
            groups=groups,
            act=layer.act,
            norm=layer.norm and not pool,
            bias=layer.bias or pool or layer.norm,
            ceil=past_end,
            counts_padding=layer.counts_padding or layer.kind is not Kind.AVG_POOL or padding == (0, 0),
        )


def _input(name: str, layer: Layer, shapes: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    if name not in shapes:
        raise InputError(
            f"layer '{layer.name}' reads '{name}', which no earlier layer makes{did_you_mean(name, shapes)}"
        )
    return shapes[name]


def _windows(layer: Layer, in_px: int, axis: int, pad: int) -> tuple[int, bool]:
    """Windows along one axis, and whether the last one reaches past the end; it begins inside, as in torch."""
    span = in_px + 2 * pad - (layer.kernel[axis] - 1) * layer.dilation - 1
    count = span // layer.stride + 1
    past_end = layer.ceil and span % layer.stride > 0 and count * layer.stride < in_px + pad
    return count + past_end, past_end


def _rebuild(layers: tuple[Layer, ...], widths: dict[str, int], size_px: int) -> Arch:
    return Arch(layers=layers, widths=widths, size_px=size_px)
