"""A kernel in which networks fail is found, named and priced at infinity; the rest of the table is right."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from nas.arch import Arch
from nas.errors import DeviceError
from nas.latency import measure
from nas.latency.design import suspects
from nas.latency.measure import model_of, space_key
from nas.latency.table import LatencyTable
from nas.space import uniform
from tests.latency.simulated import FEW, PLAN, Machine, install, keys_of, measured, true_ms, true_us

SE = dataclasses.replace(FEW, name="se", se=(False, True))
BROKEN, INNOCENT = "se 16 8px sq8 hsigmoid relu", "se 48 4px sq16 hsigmoid relu"


@pytest.fixture
def machine(machine: Machine) -> Machine:
    machine.broken = frozenset({BROKEN})
    return machine


@pytest.fixture(scope="module")
def found() -> tuple[LatencyTable, Machine]:
    with pytest.MonkeyPatch.context() as patch:
        machine = install(patch)
        machine.broken = frozenset({BROKEN})
        return measured(SE), machine


def test_every_session_has_a_folder_of_its_own(machine: Machine, tmp_path: Path) -> None:
    measured(SE, folder=tmp_path)
    assert machine.folders == [tmp_path / name for name in ("grain", "pilot", "rows", "again")]


def test_a_refused_kernel_is_named_and_the_rest_is_right(found: tuple[LatencyTable, Machine]) -> None:
    table, _ = found
    assert table.refused == {BROKEN: f"fails in {BROKEN}"}
    assert BROKEN not in table.rows
    rng, model = random.Random(3), model_of(table, SE)
    archs = [SE.build(uniform(rng)) for _ in range(60)]
    refused = [arch for arch in archs if BROKEN in keys_of([arch])]
    assert 0 < len(refused) < len(archs)
    assert [arch for arch in archs if math.isinf(model.arch_ms(arch))] == refused
    assert all(model.arch_ms(arch) == pytest.approx(true_ms(arch), rel=0.03) for arch in archs if arch not in refused)
    assert model.missing(archs) == []
    assert {share.kernel for share in model.breakdown(refused[0]) if math.isinf(share.ms)} == {BROKEN}


def test_a_refused_kernel_stays_refused(found: tuple[LatencyTable, Machine], machine: Machine) -> None:
    table, _ = found
    again = measured(SE, known=table)
    assert again.refused == table.refused
    assert again.rows == table.rows


def test_innocent_kernels_of_failed_networks_are_cleared_by_the_second_session(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    cover, firsts = measure.cover, [True]

    def crowded(shown: Sequence[Sequence[str]], *, count: int) -> list[int]:
        """The first time: the innocent kernel only where the broken one is."""
        if firsts.pop() if firsts else False:
            return [i for i, names in enumerate(shown) if INNOCENT not in names or BROKEN in names]
        return cover(shown, count=count)

    monkeypatch.setattr(measure, "cover", crowded)
    table = measured(SE)
    first, again = machine.sessions[-2:]
    rows = first[: -PLAN.anchors - PLAN.heldout]
    assert suspects([sorted(keys_of([arch])) for arch in rows], failures(rows)).keys() == {BROKEN, INNOCENT}
    assert INNOCENT in keys_of(again)
    assert not any({INNOCENT, BROKEN} <= keys_of([arch]) for arch in again[: -PLAN.anchors])
    assert table.refused.keys() == {BROKEN}
    assert table.rows[INNOCENT].us == pytest.approx(true_us(INNOCENT), rel=0.1)


def failures(archs: Sequence[Arch]) -> dict[int, str]:
    return {i: "fails" for i, arch in enumerate(archs) if BROKEN in keys_of([arch])}


def test_checks_that_fail_are_left_out_of_the_proof(found: tuple[LatencyTable, Machine]) -> None:
    table, machine = found
    calibration = table.calibrations[space_key(SE)]
    heldout = machine.sessions[2][-PLAN.heldout :]
    assert 0 < len(failures(heldout)) < PLAN.heldout
    assert calibration.proof.networks == PLAN.heldout - len(failures(heldout))
    assert calibration.proof.good


def test_a_level_that_no_anchor_tells_is_a_device_error(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    guilty = [arch for arch in (SE.build(uniform(rng)) for _ in range(40)) if BROKEN in keys_of([arch])]
    monkeypatch.setattr(measure, "anchors_of", lambda _space, count: tuple(guilty[:count]))
    with pytest.raises(DeviceError, match=f"none of the 3 networks .* fails in {BROKEN}"):
        measured(SE)
