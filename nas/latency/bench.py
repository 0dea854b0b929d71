"""Measuring on one target: how many networks can be afforded, and what was found in those that were measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nas.arch import Arch
from nas.errors import InputError
from nas.latency.anchors import spread
from nas.latency.context import in_context
from nas.latency.fit import Observation
from nas.latency.kernels import Kernel
from nas.latency.noise import Noise, judge
from nas.latency.runtimes import LayerProfile, make_runtime
from nas.latency.session import measure_networks
from nas.latency.timing import STATISTICS, UNTIMED_RUNS, Samples, slowness, steadiest
from nas.progress import Progress
from nas.target import Target

PILOT_ROUNDS = 5
PILOTS = 3
LEAST_NETWORKS = 24
SETUP_S = 0.15  # loading and profiling one network, beside its runs


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasurePlan:
    """How much is measured.

    Attributes:
        networks: Most networks that rows are fitted to.
        anchors: Whole networks the calibration is fitted to.
        heldout: Whole networks the proof is made on.
        rounds: Timed runs a network.
        profile_runs: Profiled runs a network.
        seconds: Time the measuring should take; fewer networks are measured where they are slow, but every kernel is.
        cover: Whether the networks are chosen so that every kernel is seen; false: they are the first
            ones drawn, of any kind, and kernels are keyed in their context (`nas.latency.context`).

    Raises:
        InputError: A count is below 1, of runs below 2, or the time is no positive number.
    """

    networks: int = 200
    anchors: int = 10
    heldout: int = 20
    rounds: int = 40
    profile_runs: int = 20
    seconds: float = 60.0
    cover: bool = True

    def __post_init__(self) -> None:
        leasts = {"networks": 1, "anchors": 1, "heldout": 1, "rounds": 2, "profile_runs": 2}  # two halves are compared
        for name, least in leasts.items():
            if getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)} must be at least {least}")
        if not 0 < self.seconds < math.inf:
            raise InputError(f"seconds={self.seconds:g} must be a positive number")


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """Whole networks, measured: those that rows are fitted to, and the checks, in one interleaved session or several.

    Attributes:
        archs, kernels, profiles: Of the networks that rows are fitted to.
        samples_us: (networks, rounds), NaN where a network failed.
        failed: Place among them -> why the runtime did not run it.
        check_samples_us: (checks, rounds), the same of the checks.
        noise: Of the machine meanwhile.
    """

    archs: tuple[Arch, ...]
    kernels: tuple[tuple[Kernel, ...], ...]
    profiles: tuple[Mapping[str, LayerProfile], ...]
    samples_us: Samples
    failed: Mapping[int, str]
    check_samples_us: Samples
    noise: Noise

    @property
    def keys(self) -> list[list[str]]:
        """Keys of each network's kernels."""
        return [[kernel.key for kernel in used] for used in self.kernels]

    @property
    def statistic(self) -> str:
        """The statistic of the runs that repeats best here."""
        return steadiest(np.concatenate([self.samples_us, self.check_samples_us]))

    def observations(self, statistic: str) -> list[Observation]:
        """What rows are fitted to: the networks that ran."""
        totals_us = STATISTICS[statistic](self.samples_us)
        return [
            Observation(kernels=used, total_us=float(total_us), profile=profile)
            for i, (used, total_us, profile) in enumerate(zip(self.kernels, totals_us, self.profiles, strict=True))
            if i not in self.failed
        ]

    def joined(self, later: Findings) -> Findings:
        """These and a later session's networks, at the level of this one by its first checks, timed again there."""
        before_us = self.check_samples_us[: len(later.check_samples_us)]
        level = slowness(before_us, np.median(later.check_samples_us, axis=1))
        return replace(
            self,
            archs=self.archs + later.archs,
            kernels=self.kernels + later.kernels,
            profiles=self.profiles + later.profiles,
            samples_us=np.concatenate([self.samples_us, later.samples_us * level]),
            failed={**self.failed, **{i + len(self.archs): reason for i, reason in later.failed.items()}},
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A target on this machine, and how to measure on it.

    Attributes:
        seed: Of the rounds' order.
        folder: Where sessions keep their findings as they make them; None: nowhere.
    """

    target: Target
    plan: MeasurePlan
    seed: int
    progress: Progress
    folder: Path | None = None

    def kernels(self, arch: Arch) -> tuple[Kernel, ...]:
        """What the target's runtime executes for a network."""
        kernels = make_runtime(self.target).kernels
        return tuple((kernels if self.plan.cover else in_context(kernels))(arch))

    def keys(self, arch: Arch) -> list[str]:
        """The keys of that."""
        return [kernel.key for kernel in self.kernels(arch)]

    def part(self, name: str) -> Path | None:
        """Folder of one session."""
        return self.folder / name if self.folder else None

    def affordable(self, pool: Sequence[Arch]) -> int:
        """How many networks the plan's seconds allow, from a few runs of the pool's ends and middle.

        Raises:
            DeviceError: Measuring failed.
        """
        pilots = spread(pool, PILOTS)
        measured = measure_networks(
            self.target, pilots, rounds=PILOT_ROUNDS, progress=self.progress, folder=self.part("pilot")
        )
        run_s = float(np.nanmedian(measured.samples_us)) / 1e6
        each_s = run_s * ((UNTIMED_RUNS + 1) * self.plan.rounds + self.plan.profile_runs) + SETUP_S
        most = int(self.plan.seconds / each_s) - self.plan.anchors - self.plan.heldout
        return min(self.plan.networks, max(LEAST_NETWORKS, most))

    def measure(self, name: str, archs: Sequence[Arch], checks: Sequence[Arch]) -> Findings:
        """Profile and time networks, and time checks among them, in a session of a name.

        Raises:
            DeviceError: Measuring failed.
        """
        measured = measure_networks(
            self.target,
            [*archs, *checks],
            rounds=self.plan.rounds,
            profile_runs=self.plan.profile_runs,
            profiled=len(archs),
            seed=self.seed,
            progress=self.progress,
            folder=self.part(name),
        )
        return Findings(
            archs=tuple(archs),
            kernels=tuple(map(self.kernels, archs)),
            profiles=measured.profiles,
            samples_us=measured.samples_us[: len(archs)],
            failed={i: reason for i, reason in measured.failed.items() if i < len(archs)},
            check_samples_us=measured.samples_us[len(archs) :],
            noise=judge(measured.samples_us, steal_pct=measured.steal_pct),
        )
