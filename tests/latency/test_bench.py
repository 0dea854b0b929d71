"""What can be afforded, and what a session's findings say."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest

from nas.arch import Arch
from nas.errors import InputError
from nas.latency import bench
from nas.latency.bench import Bench, Findings, MeasurePlan
from nas.latency.kernels import fused_kernels
from nas.latency.timing import STATISTICS
from nas.progress import silent
from nas.space import uniform
from nas.target import Target
from tests.latency.simulated import NOISE, Machine, keys_of, true_ms
from tests.net.zoo import SPACE

PLAN = MeasurePlan(networks=50, anchors=3, heldout=5, rounds=12, profile_runs=4, seconds=60)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(bench, "measure_networks", machine)
    return machine


@pytest.fixture
def rig(machine: Machine, target: Target, tmp_path: Path) -> Bench:
    return Bench(target=target, plan=PLAN, seed=3, progress=silent, folder=tmp_path)


@pytest.mark.parametrize("name", ["rounds", "profile_runs"])
def test_runs_are_compared_by_halves_so_there_are_two(name: str) -> None:
    with pytest.raises(InputError, match=f"{name}=1 must be at least 2"):
        dataclasses.replace(PLAN, **{name: 1})


@pytest.fixture
def archs() -> list[Arch]:
    rng = random.Random(0)
    return [SPACE.build(uniform(rng)) for _ in range(12)]


@pytest.fixture
def findings(rig: Bench, archs: list[Arch]) -> Findings:
    return rig.measure("rows", archs[:8], archs[8:])


def only_of(arch: Arch, others: list[Arch]) -> str:
    return min(keys_of([arch]) - keys_of([other for other in others if other is not arch]))


def test_quick_networks_are_all_afforded(rig: Bench, machine: Machine, archs: list[Arch], tmp_path: Path) -> None:
    assert rig.affordable(archs) == PLAN.networks
    assert len(machine.sessions[0]) == bench.PILOTS
    assert machine.folders == [tmp_path / "pilot"]


@pytest.mark.parametrize(("speed", "least"), [(350.0, False), (1e9, True)])
def test_slow_networks_are_fewer_and_never_too_few(
    rig: Bench, machine: Machine, archs: list[Arch], speed: float, least: bool
) -> None:
    machine.speed = speed
    found = rig.affordable(archs)
    assert bench.LEAST_NETWORKS <= found < PLAN.networks
    assert (found == bench.LEAST_NETWORKS) == least
    shorter = dataclasses.replace(rig, plan=dataclasses.replace(PLAN, seconds=30))
    assert shorter.affordable(archs) <= found


def test_a_pilot_that_fails_is_not_counted(rig: Bench, machine: Machine, archs: list[Arch]) -> None:
    rig.affordable(archs)
    machine.broken = frozenset({only_of(machine.sessions[0][2], machine.sessions[0])})
    assert rig.affordable(archs) == PLAN.networks


def test_findings_are_of_the_networks_and_the_checks(
    rig: Bench, findings: Findings, machine: Machine, archs: list[Arch], tmp_path: Path
) -> None:
    assert machine.sessions == [archs]
    assert machine.folders == [tmp_path / "rows"]
    assert findings.archs == tuple(archs[:8])
    assert findings.samples_us.shape == (8, PLAN.rounds)
    assert findings.check_samples_us.shape == (4, PLAN.rounds)
    assert findings.keys == [rig.keys(arch) for arch in archs[:8]]
    assert [set(profile) for profile in findings.profiles] == [
        {kernel.layers[0] for kernel in fused_kernels(arch)} for arch in archs[:8]
    ]
    assert findings.failed == {}
    assert findings.noise.verdict == "quiet"
    assert findings.statistic in STATISTICS


@pytest.mark.parametrize("statistic", STATISTICS)
def test_observations_are_of_a_statistic(findings: Findings, statistic: str) -> None:
    seen = findings.observations(statistic)
    assert [item.kernels for item in seen] == list(findings.kernels)
    assert [item.total_us for item in seen] == STATISTICS[statistic](findings.samples_us).tolist()
    assert [item.total_us / 1000 for item in seen] == pytest.approx(
        [true_ms(arch) for arch in findings.archs], rel=4 * NOISE
    )


def test_networks_that_failed_are_told_and_not_observed(rig: Bench, machine: Machine, archs: list[Arch]) -> None:
    key = only_of(archs[2], archs)
    check = only_of(archs[9], archs)
    machine.broken = frozenset({key, check})
    findings = rig.measure("rows", archs[:8], archs[8:])
    assert findings.failed == {2: f"fails in {key}"}
    assert len(findings.observations("median")) == 7
    assert findings.profiles[2] == {}
    assert np.isnan(findings.check_samples_us).any(axis=1).tolist() == [False, True, False, False]
    assert findings.noise.verdict == "quiet"
    assert findings.statistic in STATISTICS


@pytest.mark.parametrize("speed", [0.5, 1.0, 1.4])
def test_a_later_session_is_brought_to_the_level_of_the_first(
    rig: Bench, findings: Findings, machine: Machine, archs: list[Arch], speed: float
) -> None:
    machine.speed = speed
    more = [arch.with_widths({"classes": 12}) for arch in archs[:3]]
    key = only_of(archs[1], archs)
    machine.broken = frozenset({key})
    joined = findings.joined(rig.measure("again", more, archs[8:11]))
    assert joined.archs == (*archs[:8], *more)
    assert joined.failed == {9: f"fails in {key}"}
    assert joined.check_samples_us is findings.check_samples_us
    seen = joined.observations("median")
    assert len(seen) == 10
    ran = [arch for arch in joined.archs if arch is not more[1]]
    assert [item.total_us / 1000 for item in seen] == pytest.approx([true_ms(arch) for arch in ran], rel=4 * NOISE)


def test_a_session_without_checks_joins_as_it_is(rig: Bench, findings: Findings, archs: list[Arch]) -> None:
    later = rig.measure("again", archs[8:10], ())
    joined = findings.joined(later)
    np.testing.assert_array_equal(joined.samples_us[8:], later.samples_us)


def test_a_bench_without_a_folder_keeps_nothing(rig: Bench, machine: Machine, archs: list[Arch]) -> None:
    dataclasses.replace(rig, folder=None).measure("rows", archs[:2], ())
    assert machine.folders == [None]


@pytest.mark.parametrize("change", [{"rounds": 0}, {"networks": -1}, {"seconds": 0.0}, {"seconds": float("nan")}])
def test_plans_out_of_range_are_refused(change):
    with pytest.raises(InputError, match="must be"):
        MeasurePlan(**change)
