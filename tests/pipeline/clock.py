"""A clock that never jitters: networks take what their layers' MACs say, so that a busy machine changes no test."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from nas.arch import Arch, from_json, op_macs
from nas.latency import noise
from nas.latency.runtimes import LayerProfile
from nas.latency.session import Measured
from nas.latency.timing import stats
from nas.progress import Progress
from nas.target import Target

MEASURING = ("nas.latency.bench", "nas.latency.grain", "nas.latency.drift", "nas.deploy.verify")  # modules that measure


def install(patch: pytest.MonkeyPatch) -> None:
    """Replace every measurement."""
    for module in MEASURING:
        patch.setattr(importlib.import_module(module), "measure_networks", measure_networks)


def tolerate(patch: pytest.MonkeyPatch) -> None:
    """Let no machine be too noisy for what is measured for real."""
    endless = noise.Limits(split_half_pct=math.inf, spread_pct=math.inf, lost_pct=math.inf)
    patch.setattr(noise, "USABLE", endless)


def measure_networks(
    target: Target,
    archs: Sequence[Arch],
    *,
    rounds: int,
    progress: Progress,
    models: Sequence[Path] = (),
    profile_runs: int = 0,
    profiled: int = 0,
    seed: int = 0,
    folder: Path | None = None,
) -> Measured:
    layers = [layers_us(arch) for arch in [*archs, *map(exported, models)]]
    totals_us = np.array([sum(times.values()) for times in layers])
    profiles = tuple({name: profile(us) for name, us in times.items()} for times in layers[:profiled])
    return Measured(samples_us=np.repeat(totals_us[:, None], rounds, axis=1), profiles=profiles)


def profile(us: float) -> LayerProfile:
    return LayerProfile(profiled_us=us, nodes=1, stats=stats(np.array([us, us])))


def layers_us(arch: Arch) -> dict[str, float]:
    return {layer.name: 100 + op_macs(op) / 10 for layer, op in zip(arch.layers, arch.ops(), strict=True)}


def exported(model: Path) -> Arch:
    """The architecture that an exported file says it holds."""
    return from_json(next(item.value for item in onnx.load(str(model)).metadata_props if item.key == "arch"))
