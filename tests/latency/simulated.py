"""A machine whose kernels take what their work says, channels in whole grains of 16; nothing is timed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.arch import Arch
from nas.errors import DeviceError
from nas.latency import bench, grain, kernels, measure
from nas.latency.kernels import Kernel
from nas.latency.measure import MeasurePlan, measure_space
from nas.latency.runtimes import LayerProfile
from nas.latency.runtimes.machine import block_channels
from nas.latency.session import Measured
from nas.latency.similar import signature
from nas.latency.table import LatencyTable
from nas.progress import silent
from nas.space import SearchSpace
from nas.target import Target
from tests.latency.conftest import STATS, TARGET
from tests.net.zoo import SPACE

GRAIN = 16
JITTER = 0.02  # of a kernel's time: what no model of its work can know, relative, at most
NOISE = 0.005  # of a run, relative
NODE_US = 1.0  # what the profiler adds to a node
PLAN = MeasurePlan(networks=24, anchors=3, heldout=5, rounds=6, profile_runs=2, seconds=30)
FEW = replace(
    SPACE,
    name="few",
    kernels=(3,),
    expansions=(2,),
    se=(False,),
    acts=("relu",),
    head_expansions=(1,),
    feature_widths=(0,),
)


def fused_kernels(arch: Arch) -> tuple[Kernel, ...]:
    """What this machine's runtime executes."""
    return kernels.fused_kernels(arch, block=block_channels())


def true_us(key: str) -> float:
    """Time of a kernel."""
    said = signature(key)
    first, second = (-(-count // GRAIN) * GRAIN for count in said.channels)
    in_px, out_px, window = said.px**2, (said.px / said.number("s")) ** 2, said.number("k") ** 2
    work = {
        "conv": first * second * window * out_px / 2e4 + second * out_px / 3e3,
        "dw": first * window * out_px / 4e3,
        "se": first * in_px / 2e3 + first * second / 2e3,
        "linear": first * second / 1e3,
    }.get(said.kind, second * out_px / 3e3)
    us = (2 + first * in_px / 3e3 + work) * (1 + 0.1 * len(said.finish.split()))
    chance = zlib.crc32(f"{said.group} {said.finish} {said.px} {first} {second}".encode()) / 2**32
    return us * (1 + JITTER * (2 * chance - 1))


def true_ms(arch: Arch) -> float:
    """Latency of a network."""
    return sum(true_us(kernel.key) for kernel in fused_kernels(arch)) / 1000


def keys_of(archs: Iterable[Arch]) -> set[str]:
    """Keys of networks' kernels."""
    return {kernel.key for arch in archs for kernel in fused_kernels(arch)}


@dataclass(kw_only=True)
class Machine:
    """Stands in for `measure_networks`.

    Attributes:
        speed: Its slowness.
        broken: Kernels in which a network fails.
        hidden: Kernel -> its time over what the profiler says of it, where the two differ.
        sessions, folders: What it was asked.
    """

    speed: float = 1.0
    broken: frozenset[str] = frozenset()
    hidden: dict[str, float] = field(default_factory=dict)
    sessions: list[list[Arch]] = field(default_factory=list)
    folders: list[Path | None] = field(default_factory=list)

    def __call__(
        self,
        target: Target,
        archs: Sequence[Arch],
        *,
        rounds: int,
        profiled: int = 0,
        seed: int = 0,
        folder: Path | None = None,
        **_others: object,
    ) -> Measured:
        self.sessions.append(list(archs))
        self.folders.append(folder)
        rng = np.random.default_rng(seed)
        failed = {i: f"fails in {bad[0]}" for i, arch in enumerate(archs) if (bad := sorted(self._broken(arch)))}
        if len(failed) == len(archs):
            raise DeviceError("measuring on intel_cpu failed: every network fails")
        totals_us = np.array([sum(self._us(kernel.key) for kernel in fused_kernels(arch)) for arch in archs])
        samples_us = totals_us[:, None] * (1 + NOISE * rng.standard_normal((len(archs), rounds)))
        samples_us[list(failed)] = np.nan
        profiles = tuple({} if i in failed else self._profile(arch) for i, arch in enumerate(archs[:profiled]))
        return Measured(samples_us=samples_us, profiles=profiles, failed=failed)

    def _broken(self, arch: Arch) -> set[str]:
        return keys_of([arch]) & self.broken

    def _us(self, key: str) -> float:
        return self.speed * true_us(key) * self.hidden.get(key, 1.0)

    def _profile(self, arch: Arch) -> dict[str, LayerProfile]:
        return {
            kernel.layers[0]: LayerProfile(profiled_us=self.speed * true_us(kernel.key) + NODE_US, nodes=1, stats=STATS)
            for kernel in fused_kernels(arch)
        }


def measured(space: SearchSpace = FEW, **changes: Any) -> LatencyTable:
    """A table for a space, measured on whatever stands in."""
    return measure_space(space, TARGET, PLAN, **{"known": None, "seed": 0, "progress": silent, **changes})


def install(patch: pytest.MonkeyPatch) -> Machine:
    """Measure a new machine instead of this one, and less of it."""
    machine = Machine()
    patch.setattr(bench, "measure_networks", machine)
    patch.setattr(grain, "measure_networks", machine)
    patch.setattr(measure, "POOL", 60)
    patch.setattr(bench, "LEAST_NETWORKS", 8)
    return machine
