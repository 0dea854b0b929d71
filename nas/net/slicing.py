"""Weights of a smaller network out of a larger one that has the same layers, and maybe more.

An `Index` says which channels of the larger network a layer's output keeps: a number n for the n leading ones, or
their positions (n,). Indices follow the data: a convolution's output keeps what its width name says (`keep`, leading
channels otherwise), every other layer what its inputs keep, through concat, slice and shuffle. Kernels keep their
centre. A slice whose run of channels starts elsewhere in the larger network keeps its leading channels.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

import torch
from torch import Tensor

from nas.arch import IMAGE, Arch, Kind, Layer, Op
from nas.errors import InputError
from nas.net.tensors import tensor_keys

Index = int | Tensor
Keep = Mapping[str, Tensor]  # width name -> channels kept of the larger network (n,), int64
Cut = Index | tuple[int, int]  # of one dimension: an index, or (first, length); two-dimensional: columns of each row
Cuts = dict[str, tuple[Cut, ...]]  # tensor name -> a cut for each leading dimension


@dataclass(frozen=True, kw_only=True, slots=True)
class Wide:
    """A layer as a larger network has it; `sizes`: channels of its inputs."""

    op: Op
    sizes: tuple[int, ...]


Held = Mapping[str, Wide]  # layer name -> the layer where it is widest: of one network, or of several that share layers


def held(*archs: Arch) -> dict[str, Wide]:
    """Every layer of some networks, as the network has it in which it is widest.

    Of two that do not hold each other the first stays.
    """
    found: dict[str, Wide] = {}
    for arch in archs:
        channels = {IMAGE: arch.widths[IMAGE]}
        for layer, op in zip(arch.layers, arch.ops(), strict=True):
            wide = Wide(op=op, sizes=tuple(channels[name] for name in layer.inputs))
            channels[layer.name] = op.out_channels
            if layer.name not in found or (_fits(found[layer.name].op, op) and not _fits(op, found[layer.name].op)):
                found[layer.name] = wide
    return found


def slice_weights(
    parent: Arch | Held, tensors: Mapping[str, Tensor], child: Arch, keep: Keep | None = None
) -> dict[str, Tensor]:
    """Take a network's parameters, and running statistics where there are some, out of a larger network's.

    Args:
        parent: The larger network, or what several hold: has every layer of `child`, at least as wide.
        tensors: The larger network's tensors by name.
        child: The smaller network.
        keep: Channels to keep by width name; leading ones for the names left out.

    Returns:
        Tensors by name. They are views wherever leading channels are kept, and gradients flow through them.

    Raises:
        InputError: `parent` does not hold `child`; the text names the layer.
    """
    return cut(tensors, plan_cuts(parent, child, keep or {}))


def cut(tensors: Mapping[str, Tensor], cuts: Cuts) -> dict[str, Tensor]:
    """Apply planned cuts to the tensors that are there."""
    return {name: _cut(tensors[name], dimensions) for name, dimensions in cuts.items() if name in tensors}


def plan_cuts(parent: Arch | Held, child: Arch, keep: Keep) -> Cuts:
    """Find out where the tensors of `child` lie in those of `parent`; arguments and errors of `slice_weights`."""
    wide = held(parent) if isinstance(parent, Arch) else parent
    kept: dict[str, Index] = {IMAGE: child.widths[IMAGE]}
    cuts: Cuts = {}
    for layer, op in zip(child.layers, child.ops(), strict=True):
        if layer.name not in wide:
            raise InputError(f"the larger network has no layer '{layer.name}'; slice from the space's largest network")
        big = wide[layer.name]
        pair = _Pair(layer=layer, op=op, big=big.op, sizes=big.sizes, keep=keep)
        pair.check()
        inputs = [kept[name] for name in layer.inputs]
        kept[layer.name] = pair.out_index(inputs)
        for key, dimensions in pair.cuts(inputs[0], kept[layer.name]).items():
            cuts[f"{layer.name}.{key}"] = dimensions
    return cuts


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pair:
    """A layer as the smaller network (`op`) and the larger one (`big`) have it; `sizes`: channels of `big`'s inputs."""

    layer: Layer
    op: Op
    big: Op
    sizes: tuple[int, ...]
    keep: Keep

    def check(self) -> None:
        op, big = self.op, self.big
        if not _fits(op, big):
            raise InputError(f"layer '{self.layer.name}' does not fit in the larger network's: {op} in {big}")
        if op.kind is Kind.LINEAR and op.in_px != big.in_px:
            raise InputError(f"layer '{self.layer.name}' flattens {op.in_px} px, in the larger network {big.in_px} px")

    def out_index(self, inputs: list[Index]) -> Index:
        op = self.op
        match op.kind:
            case Kind.CONV:
                return inputs[0] if self.layer.depthwise else self._kept(self.layer.width, op.out_channels)
            case Kind.LINEAR:
                return self._kept(self.layer.width, op.out_channels)
            case Kind.CONCAT:
                starts = [0, *itertools.accumulate(self.sizes)]
                parts = [_positions(index) + start for index, start in zip(inputs, starts, strict=False)]
                return _index(torch.cat(parts))
            case Kind.SLICE:
                taken = _positions(inputs[0])[op.begin : op.begin + op.out_channels] - self.big.begin
                inside = bool(((taken >= 0) & (taken < self.big.out_channels)).all())
                return _index(taken) if inside else self._kept(self.layer.width, op.out_channels)
            case Kind.SHUFFLE:
                place = _shuffled(self.big).argsort()  # channel before the larger shuffle -> after it
                return _index(place[_positions(inputs[0])[_shuffled(op)]])
            case Kind.NORM | Kind.ACT | Kind.SE | Kind.ADD | Kind.MAX_POOL | Kind.AVG_POOL | Kind.GLOBAL_POOL:
                return inputs[0]
            case _:
                assert_never(op.kind)

    def cuts(self, read: Index, out: Index) -> dict[str, tuple[Cut, ...]]:
        """Key of each tensor -> its cuts, given the channels that are read and those that come out."""
        op, found = self.op, dict[str, tuple[Cut, ...]]()
        if op.kind is Kind.CONV:
            centre = [((large - small) // 2, small) for small, large in zip(op.kernel, self.big.kernel, strict=True)]
            found["weight"] = (out, self._columns(read), *centre)
        elif op.kind is Kind.LINEAR:
            found["weight"] = (out, _features(read, op.in_px * op.in_px))
        elif op.kind is Kind.SE:
            squeeze = self._kept(self.layer.squeeze, op.squeeze)
            found |= {"down.weight": (squeeze, read), "down.bias": (squeeze,), "up.weight": (read, squeeze)}
            found["up.bias"] = (read,)
        return {key: found.get(key, (out,)) for key in tensor_keys(op)}

    def _columns(self, read: Index) -> Cut:
        """Input channels of a convolution's weight; of each output channel its own when there are groups."""
        op, big = self.op, self.big
        if self.layer.depthwise:
            return 1
        if op.groups == 1:
            return read
        if op.in_channels == big.in_channels and isinstance(read, int):
            return op.in_channels // op.groups
        columns = _positions(read).view(op.groups, -1) % (big.in_channels // big.groups)
        return columns.repeat_interleave(op.out_channels // op.groups, dim=0)

    def _kept(self, width: str, channels: int) -> Index:
        if width not in self.keep:
            return channels
        if len(self.keep[width]) != channels:
            raise InputError(f"width '{width}': {len(self.keep[width])} channels kept for {channels}")
        return _index(self.keep[width].cpu())


def _fits(op: Op, big: Op) -> bool:
    sizes, large = ((o.in_channels, o.out_channels, *o.kernel, o.squeeze) for o in (op, big))
    same = op.kind is big.kind and set(tensor_keys(op)) <= set(tensor_keys(big))
    return same and not any(map(operator.gt, sizes, large))


def _features(read: Index, pixels: int) -> Index:
    if isinstance(read, int):
        return read * pixels
    return (read[:, None] * pixels + torch.arange(pixels)).flatten()


def _positions(index: Index) -> Tensor:
    return torch.arange(index) if isinstance(index, int) else index


def _index(positions: Tensor) -> Index:
    return len(positions) if torch.equal(positions, torch.arange(len(positions))) else positions


def _shuffled(op: Op) -> Tensor:
    """Position after the shuffle -> channel before it."""
    return torch.arange(op.in_channels).view(op.groups, -1).t().flatten()


def _cut(tensor: Tensor, cuts: tuple[Cut, ...]) -> Tensor:
    for dimension, what in enumerate(cuts):
        if isinstance(what, Tensor):
            tensor = _select(tensor, dimension, what.to(tensor.device))
        else:
            first, length = what if isinstance(what, tuple) else (0, what)
            if length != tensor.shape[dimension]:
                tensor = tensor.narrow(dimension, first, length)
    return tensor


def _select(tensor: Tensor, dimension: int, positions: Tensor) -> Tensor:
    if positions.dim() == 1:
        return tensor.index_select(dimension, positions)
    shape = [*positions.shape, *(1,) * (tensor.dim() - 2)]
    return torch.take_along_dim(tensor, positions.view(shape), dim=dimension)
