"""Tables for a space: measured for real once, in small; the choice of networks on a simulated machine."""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Sequence

import numpy as np
import pytest

from nas.arch import Arch
from nas.latency import measure
from nas.latency.kernels import fused_kernels
from nas.latency.measure import MeasurePlan, extend, measure_space, model_of, space_key
from nas.latency.runtimes import LayerProfile, make_runtime
from nas.latency.session import Measured
from nas.latency.table import LatencyTable, load_table, save_table
from nas.latency.timing import STATISTICS
from nas.progress import silent
from nas.space import largest, smallest, uniform
from nas.target import Target
from tests.net.zoo import SPACE

PLAN = MeasurePlan(networks=12, anchors=3, heldout=5, rounds=6, profile_runs=2, seconds=30)
FEW = dataclasses.replace(
    SPACE,
    name="few",
    kernels=(3,),
    expansions=(2,),
    se=(False,),
    acts=("relu",),
    head_expansions=(1,),
    feature_widths=(0,),
)
ONE = dataclasses.replace(
    FEW,
    name="one",
    stem_widths=(8,),
    stages=tuple(dataclasses.replace(stage, widths=stage.widths[:1], depths=(1,)) for stage in FEW.stages),
)


def true_us(key: str) -> float:
    """Time of a kernel on the simulated machine."""
    return 2 + int(hashlib.sha256(key.encode()).hexdigest()[:4], 16) / 2000


def true_ms(arch: Arch) -> float:
    return sum(true_us(kernel.key) for kernel in fused_kernels(arch)) / 1000


class Machine:
    """A machine with a time for every kernel, a profiler that adds to every node, and 0.5 % of noise."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self.sessions: list[Sequence[Arch]] = []

    def __call__(
        self, target: Target, archs: Sequence[Arch], *, rounds: int, profiled: int = 0, seed: int = 0, **_others: object
    ) -> Measured:
        self.sessions.append(archs)
        rng = np.random.default_rng(seed)
        totals_us = np.array([self.speed * 1000 * true_ms(arch) for arch in archs])
        samples_us = totals_us[:, None] * (1 + 0.005 * rng.standard_normal((len(archs), rounds)))
        profiles = tuple(
            {
                kernel.layers[0]: LayerProfile(profiled_us=self.speed * true_us(kernel.key) + 1, nodes=1)
                for kernel in fused_kernels(arch)
            }
            for arch in archs[:profiled]
        )
        return Measured(samples_us=samples_us, profiles=profiles)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(measure, "measure_networks", machine)
    monkeypatch.setattr(measure, "POOL", 60)
    monkeypatch.setattr(measure, "LEAST_NETWORKS", 8)
    return machine


def keys(archs: Sequence[Arch]) -> set[str]:
    return {kernel.key for arch in archs for kernel in fused_kernels(arch)}


def test_a_real_table_prices_its_space(target: Target, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "POOL", 40)
    monkeypatch.setattr(measure, "LEAST_NETWORKS", 8)
    stages: list[str] = []
    table = measure_space(FEW, target, PLAN, known=None, seed=0, progress=lambda stage, *_: stages.append(stage))
    host = make_runtime(target).host(target)
    assert load_table(save_table(tmp_path / "table.json", table), target=target, host=host) == table
    assert table.statistic in STATISTICS
    assert table.seconds > 0
    assert all(row.us > 0 and row.networks >= 1 and row.nodes >= 1 for row in table.rows.values())
    proof = table.calibrations[space_key(FEW)].proof
    assert proof.networks == PLAN.heldout == len(proof.measured_ms)
    model = model_of(table, FEW)
    assert model.missing([FEW.build(largest), FEW.build(smallest)]) == []
    assert model.arch_ms(FEW.build(smallest)) > 0
    assert set(stages) == {"measure: load", "measure: profile", "measure: time"}


def test_rows_and_calibration_of_a_simulated_machine(machine: Machine, target: Target) -> None:
    table = measure_space(FEW, target, PLAN, known=None, seed=0, progress=silent)
    rng = random.Random(9)
    for _ in range(10):
        arch = FEW.build(uniform(rng))
        assert model_of(table, FEW).arch_ms(arch) == pytest.approx(true_ms(arch), rel=0.02)
    calibration = table.calibrations[space_key(FEW)]
    assert calibration.scale == pytest.approx(1, rel=0.02)
    assert calibration.anchors == 3
    assert calibration.proof.networks == 5
    assert calibration.proof.mape_pct < 2
    assert calibration.proof.good


def test_the_same_seed_measures_the_same_networks(machine: Machine, target: Target) -> None:
    measure_space(FEW, target, PLAN, known=None, seed=4, progress=silent)
    first, machine.sessions = machine.sessions, []
    measure_space(FEW, target, PLAN, known=None, seed=4, progress=silent)
    assert machine.sessions == first


def test_checked_networks_are_not_fitted_to_and_span_the_range(machine: Machine, target: Target) -> None:
    measure_space(FEW, target, PLAN, known=None, seed=0, progress=silent)
    pilots, archs = machine.sessions
    fitted, checked = archs[: -PLAN.anchors - PLAN.heldout], archs[-PLAN.anchors - PLAN.heldout :]
    assert len(pilots) == 3
    assert not set(fitted) & set(checked)
    assert FEW.build(largest) in fitted
    assert keys(checked) <= keys(fitted)


def test_slow_networks_are_measured_less_but_every_kernel_is(machine: Machine, target: Target) -> None:
    plan = dataclasses.replace(PLAN, networks=30, seconds=1.0)
    measure_space(FEW, target, plan, known=None, seed=0, progress=silent)
    quick = len(machine.sessions[-1])
    machine.speed = 5000.0
    table = measure_space(FEW, target, plan, known=None, seed=0, progress=silent)
    slow = len(machine.sessions[-1])
    assert slow < quick
    assert keys(machine.sessions[-1]) == set(table.rows)


def test_a_second_space_adds_to_the_table(machine: Machine, target: Target) -> None:
    table = measure_space(FEW, target, PLAN, known=None, seed=0, progress=silent)
    both = measure_space(SPACE, target, PLAN, known=table, seed=0, progress=silent)
    assert set(both.calibrations) == {space_key(FEW), space_key(SPACE)}
    assert both.rows.items() > table.rows.items()
    assert both.overhead == table.overhead
    assert both.seconds > table.seconds


def test_a_table_that_has_every_row_is_only_proved_again(machine: Machine, target: Target) -> None:
    table = measure_space(FEW, target, PLAN, known=None, seed=0, progress=silent)
    again = measure_space(FEW, target, PLAN, known=table, seed=0, progress=silent)
    assert again.rows == table.rows
    assert again.calibrations[space_key(FEW)].proof.mape_pct < 2


def test_a_space_too_small_to_hold_networks_back_is_proved_on_what_it_has(machine: Machine, target: Target) -> None:
    table = measure_space(ONE, target, PLAN, known=None, seed=0, progress=silent)
    calibration = table.calibrations[space_key(ONE)]
    assert (calibration.anchors, calibration.proof.networks) == (1, 1)
    assert model_of(table, ONE).arch_ms(ONE.build(largest)) == pytest.approx(true_ms(ONE.build(largest)), rel=0.02)


@pytest.fixture
def few(machine: Machine, target: Target) -> LatencyTable:
    table = measure_space(FEW, target, PLAN, known=None, seed=0, progress=silent)
    machine.sessions = []
    return table


def test_extending_adds_the_missing_rows_and_keeps_the_known_ones(few: LatencyTable, machine: Machine) -> None:
    arch = FEW.build(largest)
    trimmed = [arch.with_widths({"s0": 11}), arch.with_widths({"s1": 13}), arch]
    extended = extend(few, trimmed, PLAN, seed=0, progress=silent)
    new = set(extended.rows) - set(few.rows)
    assert new == keys(trimmed) - set(few.rows)
    assert all(extended.rows[key] == row for key, row in few.rows.items())
    assert [set(archs) for archs in machine.sessions] == [set(trimmed[:2])]
    assert extended.calibrations == few.calibrations
    model = model_of(extended, FEW)
    assert model.arch_ms(trimmed[0]) == pytest.approx(true_ms(trimmed[0]), rel=0.03)


@pytest.mark.parametrize("speed", [0.7, 1.6])
def test_extending_on_a_machine_that_changed_its_speed_keeps_the_level(
    few: LatencyTable, machine: Machine, speed: float
) -> None:
    machine.speed = speed
    arch = FEW.build(largest).with_widths({"s0": 11})
    extended = extend(few, [arch], PLAN, seed=0, progress=silent)
    assert model_of(extended, FEW).arch_ms(arch) == pytest.approx(true_ms(arch), rel=0.06)


def test_nothing_missing_measures_nothing(few: LatencyTable, machine: Machine) -> None:
    assert extend(few, [FEW.build(smallest)], PLAN, seed=0, progress=silent) is few
    assert extend(few, [], PLAN, seed=0, progress=silent) is few
    assert machine.sessions == []
