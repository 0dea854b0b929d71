"""A table is brought to its machine's speed of today, or refused; on a simulated machine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from nas.arch import Arch
from nas.errors import DeviceError
from nas.latency import drift
from nas.latency.anchors import anchors_of
from nas.latency.drift import Anchored, OffLevelError, re_anchor
from nas.latency.kernels import fused_kernels
from nas.latency.measure import model_of, space_key
from nas.latency.session import Measured
from nas.latency.table import LatencyTable
from nas.progress import silent
from nas.target import Target
from tests.net.zoo import SPACE

COUNT = 4
ARCHS = anchors_of(SPACE, COUNT)


@pytest.fixture
def table(table: LatencyTable) -> LatencyTable:
    """Every anchor's row costs 100 us; their sums are calibrated to 1.5 of that."""
    (row,) = {replace(row, us=100.0) for row in table.rows.values() if row.us == 1.0}
    (calibration,) = table.calibrations.values()
    rows = {kernel.key: row for arch in ARCHS for kernel in fused_kernels(arch)}
    calibration = replace(calibration, scale=1.5, anchors=COUNT, anchored_on="2020-01-01")
    return replace(table, rows=rows, calibrations={space_key(SPACE): calibration})


class Machine:
    """Sessions planned ahead: latency over what the table predicts, and the noise of the runs, one a session."""

    def __init__(self, table: LatencyTable, *speeds: float, noise: Sequence[float] = ()) -> None:
        self.predicted_us = {arch: 1000 * model_of(table, SPACE).arch_ms(arch) for arch in ARCHS}
        self.speeds, self.noises, self.seeds = list(speeds), list(noise), []

    def __call__(
        self, _target: Target, archs: Sequence[Arch], *, rounds: int, seed: int, **_others: object
    ) -> Measured:
        self.seeds.append(seed)
        totals_us = np.array([self.predicted_us[arch] for arch in archs]) * self.speeds.pop(0)
        scale = self.noises.pop(0) if self.noises else 0.0
        noise = np.random.default_rng(seed).exponential(scale, (len(archs), rounds))
        samples_us = totals_us[:, None] * (1 + noise) * np.ones((len(archs), rounds))
        samples_us[0] = np.nan  # one anchor fails
        return Measured(samples_us=samples_us, profiles=(), failed={0: "crashed"})


def anchored(table: LatencyTable, monkeypatch: pytest.MonkeyPatch, machine: Machine) -> Anchored:
    monkeypatch.setattr(drift, "measure_networks", machine)
    return re_anchor(table, SPACE, rounds=40, seed=7, progress=silent)


@pytest.mark.parametrize("speed", [0.975, 1.0, 1.025])
def test_a_machine_at_its_old_speed_keeps_its_table(table, monkeypatch, speed: float) -> None:
    machine = Machine(table, speed)
    found = anchored(table, monkeypatch, machine)
    assert found.table is table
    assert found.drift == pytest.approx(speed - 1)
    assert (found.noise.verdict, found.recalibrated, machine.seeds) == ("quiet", False, [7])


@pytest.mark.parametrize("speed", [0.9, 1.05, 1.14])
def test_a_machine_that_drifted_has_its_level_set_anew(table, monkeypatch, speed: float) -> None:
    found = anchored(table, monkeypatch, Machine(table, speed))
    assert found.recalibrated
    for arch in ARCHS:
        predicted_ms = model_of(table, SPACE).arch_ms(arch)
        assert model_of(found.table, SPACE).arch_ms(arch) == pytest.approx(speed * predicted_ms, rel=1e-3)
    before, after = table.calibrations[space_key(SPACE)], found.table.calibrations[space_key(SPACE)]
    assert after.anchored_on == dt.datetime.now(tz=dt.UTC).date().isoformat()
    assert replace(after, scale=before.scale, anchored_on=before.anchored_on) == before
    assert found.table.rows == table.rows


@pytest.mark.parametrize(("speeds", "level"), [((1.4, 1.3), "1.95"), ((0.5, 0.8), "1.2")])
def test_a_machine_far_off_in_two_sessions_is_refused(table, monkeypatch, speeds, level: str) -> None:
    machine = Machine(table, *speeds)
    with pytest.raises(DeviceError) as caught:
        anchored(table, monkeypatch, machine)
    (line,) = str(caught.value).splitlines()
    assert "says 1.5 of its rows' sum, measured 2020-01-01" in line
    assert f"now it is {level} (" in line
    assert "python -m nas.measure +target=intel_cpu" in line
    assert "allow_mismatch=true" in line
    assert machine.seeds == [7, 8]


def test_an_anchor_whose_rows_are_lacking_is_left_out(table, monkeypatch) -> None:
    """A space with many widths has anchors that its table cannot price; they did not set its level either."""
    machine, timed = Machine(table, 1.0), list[Arch]()

    def noted(target: Target, archs: Sequence[Arch], **options: int) -> Measured:
        timed.extend(archs)
        return machine(target, archs, **options)

    monkeypatch.setattr(drift, "measure_networks", noted)
    lacking = replace(table, rows={key: row for key, row in table.rows.items() if " k7 " not in key})
    found = re_anchor(lacking, SPACE, rounds=40, seed=7, progress=silent)
    assert timed == [arch for arch in ARCHS if not model_of(lacking, SPACE).missing([arch])]
    assert 1 < len(timed) < COUNT
    assert found.table is lacking


def test_a_second_session_clears_the_first_ones_name(table, monkeypatch) -> None:
    found = anchored(table, monkeypatch, Machine(table, 1.4, 1.01))
    assert (found.drift, found.table is table) == (pytest.approx(0.01), True)


def test_a_machine_too_noisy_is_refused(table, monkeypatch) -> None:
    with pytest.raises(
        DeviceError, match=r"checking the level .* given up, nothing is stored: the machine is unusable"
    ):
        anchored(table, monkeypatch, Machine(table, 1.0, 1.0, 1.0, noise=(3.0, 3.0, 3.0)))


def test_a_session_that_was_too_noisy_says_nothing_of_the_level(table, monkeypatch) -> None:
    """Only usable sessions count as those that found a machine far off."""
    with pytest.raises(OffLevelError, match="in two sessions"):
        anchored(table, monkeypatch, Machine(table, 1.4, 1.0, 1.4, noise=(0.0, 3.0, 0.0)))
    with pytest.raises(DeviceError, match="the machine is unusable"):
        anchored(table, monkeypatch, Machine(table, 1.0, 1.4, 1.0, noise=(3.0, 0.0, 3.0)))


def test_a_burst_of_noise_is_waited_out(table, monkeypatch) -> None:
    machine = Machine(table, 1.0, 1.0, noise=(3.0, 0.0))
    found = anchored(table, monkeypatch, machine)
    assert (found.noise.verdict, found.table is table, machine.seeds) == ("quiet", True, [7, 8])
