"""What else predicts a network's latency: FLOPs, FLOPs and memory, sessions of one layer summed, a table of blocks.

Every function returns predictions for networks in their order; all but the regression are levelled by the caller, with
one scalar from the same anchor networks that the table is levelled with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from nas.arch import CLASSES, IMAGE, Arch, cost, digest
from nas.latency.session import measure_networks
from nas.progress import silent
from nas.target import Target

Floats = NDArray[np.float64]
GroupOf = Callable[[str], str]


def macs(archs: Sequence[Arch]) -> Floats:
    """Multiply-accumulates, (networks,)."""
    return np.array([cost(arch).macs for arch in archs], dtype=np.float64)


def regressed(archs: Sequence[Arch], trained: Sequence[Arch], trained_ms: Floats) -> Floats:
    """A line through MACs and memory traffic, of least relative error on other networks that were measured."""
    weights, *_ = np.linalg.lstsq(_features(trained) / trained_ms[:, None], np.ones(len(trained)), rcond=None)
    predicted: Floats = _features(archs) @ weights
    return predicted


def _features(archs: Sequence[Arch]) -> Floats:
    costs = [cost(arch) for arch in archs]
    return np.array([(1.0, one.macs / 1e6, one.traffic_bytes / 1e6) for one in costs])


def summed(target: Target, archs: Sequence[Arch], group_of: GroupOf, *, rounds: int, seed: int) -> Floats:
    """Milliseconds of each network's parts, each run alone in a session of its own, summed.

    Args:
        target: Device and runtime.
        archs: The networks.
        group_of: Layer's name -> its part's name: `layer_of` for one-layer sessions, `block_of` for blocks.
        rounds: Timed runs of each different part.
        seed: Of their order.
    """
    parts = [parts_of(arch, group_of) for arch in archs]
    keys = [[digest(part) for part in own] for own in parts]
    different = dict(zip(chain(*keys), chain(*parts), strict=True))
    measured = measure_networks(target, list(different.values()), rounds=rounds, seed=seed, progress=silent)
    alone_ms = dict(zip(different, np.median(measured.samples_us, axis=1) / 1000, strict=True))
    return np.array([sum(alone_ms[key] for key in names) for names in keys])


def layer_of(layer: str) -> str:
    """Every layer is a part of its own."""
    return layer


def block_of(layer: str) -> str:
    """Block that a layer's name says: `s2.b0` of `s2.b0.expand`, `stem` of `stem`."""
    return layer.rpartition(".")[0] or layer


def parts_of(arch: Arch, group_of: GroupOf) -> list[Arch]:
    """A network's parts as networks, in order; what a part reads from outside becomes its image."""
    groups: dict[str, list[int]] = {}
    for i, layer in enumerate(arch.layers):
        groups.setdefault(group_of(layer.name), []).append(i)
    return [_alone(arch, places) for places in groups.values()]


def _alone(arch: Arch, places: Sequence[int]) -> Arch:
    layers, op = [arch.layers[i] for i in places], arch.ops()[places[0]]
    own = {layer.name for layer in layers}
    cut = [
        replace(layer, inputs=tuple(source if source in own else IMAGE for source in layer.inputs)) for layer in layers
    ]
    used = {width for layer in layers for width in (layer.width, layer.squeeze, *layer.skip)}
    widths = {name: channels for name, channels in arch.widths.items() if name in used or name == CLASSES}
    return Arch(layers=tuple(cut), widths={**widths, IMAGE: op.in_channels}, size_px=op.in_px)
