"""Tables for a space: measured for real once, in small; the rest on a simulated machine."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest

from nas.latency import bench, measure
from nas.latency.anchors import anchors_of
from nas.latency.measure import extend, measure_space, model_of, space_key
from nas.latency.runtimes import make_runtime
from nas.latency.table import Grain, LatencyTable, load_table, save_table
from nas.latency.timing import STATISTICS
from nas.progress import silent
from nas.space import largest, smallest, uniform
from nas.target import Target
from tests.latency.simulated import FEW, GRAIN, PLAN, Machine, install, keys_of, measured, true_ms

ONE = dataclasses.replace(
    FEW,
    name="one",
    stem_widths=(8,),
    stages=tuple(dataclasses.replace(stage, widths=stage.widths[:1], depths=(1,)) for stage in FEW.stages),
)
WIDER = dataclasses.replace(FEW, name="wider", kernels=(3, 5), expansions=(1, 2))


@pytest.fixture(scope="module")
def few() -> LatencyTable:
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        return measured()


def errors(table: LatencyTable, space, count: int = 20) -> np.ndarray:
    """Relative errors on random networks."""
    rng, model = random.Random(9), model_of(table, space)
    archs = [space.build(uniform(rng)) for _ in range(count)]
    return np.array([abs(model.arch_ms(arch) / true_ms(arch) - 1) for arch in archs])


def test_a_real_table_prices_its_space(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "POOL", 40)
    monkeypatch.setattr(measure, "find_grain", lambda *_args, **_others: Grain(channels=16, cost=1.0))
    monkeypatch.setattr(bench, "LEAST_NETWORKS", 8)
    stages: list[str] = []
    plan = dataclasses.replace(PLAN, networks=12)
    table = measure_space(FEW, target, plan, known=None, seed=0, progress=lambda stage, *_: stages.append(stage))
    host = make_runtime(target).host(target)
    assert load_table(save_table(tmp_path / "table.json", table), target=target, host=host) == table
    assert table.statistic in STATISTICS
    assert table.seconds > 0
    assert table.refused == {}
    assert all(row.us > 0 and row.networks >= 1 and row.nodes >= 1 for row in table.rows.values())
    assert all(row.stats.runs == PLAN.profile_runs and row.stats.median_us > 0 for row in table.rows.values())
    proof = table.calibrations[space_key(FEW)].proof
    assert proof.networks == PLAN.heldout == len(proof.measured_ms)
    model = model_of(table, FEW)
    assert model.missing([FEW.build(largest), FEW.build(smallest)]) == []
    assert model.arch_ms(FEW.build(smallest)) > 0
    assert set(stages) == {"measure: load", "measure: profile", "measure: time"}


def test_rows_and_calibration_of_a_simulated_machine(few: LatencyTable) -> None:
    table = few
    assert errors(table, FEW).max() < 0.02
    assert (table.channel_grain, table.noise.verdict, table.refused) == (GRAIN, "quiet", {})
    calibration = table.calibrations[space_key(FEW)]
    assert calibration.scale == pytest.approx(1, rel=0.02)
    assert calibration.anchors == 3
    assert calibration.anchored_on == table.measured_on
    assert calibration.proof.networks == 5
    assert calibration.proof.mape_pct < 2
    assert calibration.proof.good
    assert abs(calibration.uncalibrated_mape_pct - calibration.proof.mape_pct) < 2


def test_the_same_seed_measures_the_same_networks(machine: Machine) -> None:
    measured(seed=4)
    first, machine.sessions = machine.sessions, []
    measured(seed=4)
    assert machine.sessions == first


def test_checked_networks_are_not_fitted_to_and_span_the_range(machine: Machine) -> None:
    measured()
    _grain, pilots, archs = machine.sessions
    fitted, checked = archs[: -PLAN.anchors - PLAN.heldout], archs[-PLAN.anchors - PLAN.heldout :]
    assert len(pilots) == bench.PILOTS
    assert not set(fitted) & set(checked)
    assert tuple(checked[: PLAN.anchors]) == anchors_of(FEW, PLAN.anchors)
    assert keys_of(checked) <= keys_of(fitted)


def test_slow_networks_are_measured_less_but_every_kernel_is(machine: Machine) -> None:
    quick = len(measured().rows), len(machine.sessions[-1])
    machine.speed = 5e4
    table = measured()
    assert len(table.rows) == quick[0]
    assert len(machine.sessions[-1]) < quick[1]
    assert keys_of(machine.sessions[-1]) == set(table.rows)


def test_a_second_space_adds_to_the_table(few: LatencyTable, machine: Machine) -> None:
    table, both = few, measured(WIDER, known=few)
    assert len(machine.sessions[0]) == bench.PILOTS  # the grain is known
    assert set(both.calibrations) == {space_key(FEW), space_key(WIDER)}
    assert both.rows.items() > table.rows.items()
    assert (both.overhead, both.grain) == (table.overhead, table.grain)
    assert both.seconds > table.seconds


def test_a_table_that_has_every_row_is_only_proved_again(few: LatencyTable, machine: Machine) -> None:
    again = measured(known=few)
    assert again.rows == few.rows
    assert again.calibrations[space_key(FEW)].proof.mape_pct < 2


def test_a_space_too_small_to_hold_networks_back_is_proved_on_what_it_has(machine: Machine) -> None:
    table = measured(ONE)
    calibration = table.calibrations[space_key(ONE)]
    assert (calibration.anchors, calibration.proof.networks) == (1, 1)
    assert errors(table, ONE, count=1).max() < 0.02


def test_what_the_profiler_gets_wrong_is_measured_again(machine: Machine) -> None:
    key = next(key for key in sorted(keys_of([FEW.build(largest)])) if key.startswith("dw"))
    machine.hidden = {key: 3.0}
    table = measured()
    *_, rows, again = machine.sessions
    fresh, anchors = again[: -PLAN.anchors], again[-PLAN.anchors :]
    assert anchors == rows[-PLAN.anchors - PLAN.heldout : -PLAN.heldout]  # timed again, for the level
    assert fresh
    assert any(key in keys_of([arch]) for arch in fresh)
    assert not set(fresh) & set(rows[: -len(anchors) - PLAN.heldout])
    assert table.rows[key].us > 1.3 * max(table.rows[key].profiled_us - 1, 0)
    assert abs(table.rows[key].disagreement) > measure.DISAGREEMENT


def test_extending_adds_the_missing_rows_and_keeps_the_known_ones(few: LatencyTable, machine: Machine) -> None:
    arch = FEW.build(largest)
    trimmed = [arch.with_widths({"s0": 11}), arch.with_widths({"s1": 13}), arch]
    extended = extend(few, trimmed, PLAN, seed=0, progress=silent)
    new = set(extended.rows) - set(few.rows)
    assert new == keys_of(trimmed) - set(few.rows)
    assert all(extended.rows[key] == row for key, row in few.rows.items())
    assert [set(archs) for archs in machine.sessions] == [set(trimmed[:2])]
    assert (extended.calibrations, extended.statistic) == (few.calibrations, few.statistic)
    assert model_of(extended, FEW).arch_ms(trimmed[0]) == pytest.approx(true_ms(trimmed[0]), rel=0.03)


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
