"""Predictions are sums of rows times the calibration."""

from __future__ import annotations

import dataclasses

import pytest

from nas.arch import Arch
from nas.errors import InputError
from nas.latency.kernels import fused_kernels
from nas.latency.measure import model_of, space_key
from nas.latency.model import LatencyModel
from nas.latency.table import LatencyTable
from tests.net.zoo import SPACE, every_kind


@pytest.fixture
def arch() -> Arch:
    return every_kind()


@pytest.fixture
def model(table: LatencyTable) -> LatencyModel:
    return LatencyModel(table=table, scale=1.5, kernels=fused_kernels)


def test_a_network_costs_its_rows_times_the_scale(model: LatencyModel, table: LatencyTable, arch: Arch) -> None:
    rows_us = [table.rows[kernel.key].us for kernel in fused_kernels(arch)]
    assert model.arch_ms(arch) == pytest.approx(1.5 * sum(rows_us) / 1000)
    assert model.missing([arch]) == []


def test_the_breakdown_names_layers_and_sums_to_the_whole(model: LatencyModel, arch: Arch) -> None:
    shares = model.breakdown(arch)
    assert sum(share.ms for share in shares) == pytest.approx(model.arch_ms(arch))
    assert [share.layer for share in shares] == [layer.name for layer in arch.layers]
    assert all(share.kernel in model.table.rows and share.ms > 0 for share in shares)


def test_a_missing_row_is_named(model: LatencyModel) -> None:
    other = every_kind(mid=16)
    missing = model.missing([other, other])
    assert missing == [
        "conv 8>16 8px k3x1 d2 swish",
        "conv 16 8px k1x3 g4 gelu",
        "conv 16>8 8px k1 hsigmoid",
    ]
    with pytest.raises(InputError, match=f"no row for '{missing[0]}' and 2 more; run python -m nas.measure"):
        model.arch_ms(other)


def test_one_missing_row_is_said_alone(model: LatencyModel, arch: Arch) -> None:
    key = next(iter(model.table.rows))
    rows = {name: row for name, row in model.table.rows.items() if name != key}
    poorer = dataclasses.replace(model, table=dataclasses.replace(model.table, rows=rows))
    with pytest.raises(InputError, match=f"of intel_cpu has no row for '{key}'; run"):
        poorer.breakdown(arch)


def test_a_space_is_priced_by_its_own_calibration_or_the_median_one(table: LatencyTable) -> None:
    (calibration,) = table.calibrations.values()
    assert model_of(table).scale == model_of(table, SPACE).scale == calibration.scale
    own = table.with_calibration(space_key(SPACE), dataclasses.replace(calibration, scale=1.25))
    assert model_of(own, SPACE).scale == 1.25
    assert model_of(own).scale == pytest.approx((1.25 + calibration.scale) / 2)
    assert model_of(dataclasses.replace(table, calibrations={})).scale == 1.0


def test_spaces_of_one_name_and_other_members_have_other_keys() -> None:
    assert space_key(SPACE).startswith("tiny-")
    assert space_key(SPACE) != space_key(dataclasses.replace(SPACE, stem_widths=(8, 24)))
