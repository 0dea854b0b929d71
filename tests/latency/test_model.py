"""Predictions are sums of rows, or of prices of similar kernels, times the calibration."""

from __future__ import annotations

import dataclasses
import math
import random

import pytest

from nas.arch import CLASSES, Arch
from nas.errors import InputError
from nas.latency.kernels import fused_kernels
from nas.latency.measure import model_of, space_key
from nas.latency.model import UNITS_PER_MS, UNITS_PER_US, LatencyModel
from nas.latency.table import LatencyTable
from nas.space import largest, smallest, uniform
from tests.latency.conftest import row
from tests.latency.simulated import keys_of, true_us
from tests.net.zoo import SPACE, every_kind


@pytest.fixture
def arch() -> Arch:
    return every_kind()


@pytest.fixture
def model(table: LatencyTable) -> LatencyModel:
    return LatencyModel(table=table, scale=1.5, kernels=fused_kernels)


def knowing(table: LatencyTable, *archs: Arch, scale: float = 1.0371) -> LatencyModel:
    """A model with true rows of networks."""
    rows = {key: row(round(true_us(key), 4), networks=9) for key in sorted(keys_of(archs))}
    return LatencyModel(table=dataclasses.replace(table, rows=rows, refused={}), scale=scale, kernels=fused_kernels)


def without(model: LatencyModel, start: str) -> LatencyModel:
    rows = {key: found for key, found in model.table.rows.items() if not key.startswith(start)}
    return dataclasses.replace(model, table=dataclasses.replace(model.table, rows=rows))


def refusing(model: LatencyModel, key: str) -> LatencyModel:
    poorer = without(model, key)
    return dataclasses.replace(poorer, table=dataclasses.replace(poorer.table, refused={key: "it crashed"}))


def test_a_network_costs_its_rows_times_the_scale(model: LatencyModel, table: LatencyTable, arch: Arch) -> None:
    rows_us = [table.rows[kernel.key].us for kernel in fused_kernels(arch)]
    assert model.arch_ms(arch) == pytest.approx(1.5 * sum(rows_us) / 1000)
    assert model.missing([arch]) == model.interpolated([arch]) == []


def test_the_breakdown_names_layers_and_sums_to_the_whole(model: LatencyModel, arch: Arch) -> None:
    shares = model.breakdown(arch)
    assert sum(share.ms for share in shares) == pytest.approx(model.arch_ms(arch))
    own = [share.layer for share in shares if "/" not in share.layer]  # the rest: changes of layout
    assert own == [layer.name for layer in arch.layers if layer.name != "right"]  # computed with the other slice
    assert all(share.kernel in model.table.rows and share.ms > 0 for share in shares)


def test_sums_are_whole_units_in_any_order(table: LatencyTable) -> None:
    rng = random.Random(4)
    archs = [SPACE.build(uniform(rng)) for _ in range(20)]
    model = knowing(table, *archs[:15])
    for arch in archs:
        units = [round(share.ms / model.scale * UNITS_PER_MS) for share in model.breakdown(arch)]
        assert model.arch_ms(arch) == model.scale * sum(units) / 1e7
        rows = model.table.rows
        exact = [round(rows[kernel.key].us * UNITS_PER_US) for kernel in fused_kernels(arch) if kernel.key in rows]
        assert math.fsum(exact) <= sum(units)
    assert model.interpolated(archs)


def test_a_missing_row_is_named(model: LatencyModel) -> None:
    poorer = without(without(model, "conv 16>8 8px k1 h"), "se ")
    arch = every_kind()
    missing = poorer.missing([arch, arch])
    assert [key.split()[0] for key in missing] == ["se"]
    with pytest.raises(InputError, match=f"no row for '{missing[0]}'; run python -m nas.measure"):
        poorer.arch_ms(arch)


def test_one_missing_row_is_said_alone_and_more_are_counted(model: LatencyModel, arch: Arch) -> None:
    with pytest.raises(InputError, match=r"of intel_cpu has no row for 'add 16 4px x2 relu'; run"):
        without(model, "add").breakdown(arch)
    with pytest.raises(InputError, match=r"no row for 'add 16 4px x2 relu' and 1 more; run"):
        without(without(model, "add"), "global_pool").breakdown(arch)


def test_a_measured_row_is_never_interpolated(table: LatencyTable) -> None:
    arch = SPACE.build(largest)
    model = knowing(table, arch)
    key = next(key for key in model.table.rows if key.startswith("conv"))
    odd = dataclasses.replace(model, table=model.table.with_rows({key: row(1000.0)}))
    assert next(share.ms for share in odd.breakdown(arch) if share.kernel == key) == odd.scale


def test_unseen_widths_are_priced_by_their_relatives(table: LatencyTable) -> None:
    arch = SPACE.build(largest)
    widths = [width for width in arch.widths if width.startswith("s") and "squeeze" not in width]
    seen = [arch.with_widths(dict.fromkeys(widths, count)) for count in (16, 32, 48, 96, 160)]
    unseen = arch.with_widths(dict.fromkeys(widths, 64))
    model = knowing(table, *seen, scale=1.0)
    assert len(model.interpolated([unseen])) > 3
    assert model.missing([unseen]) == []
    for share in model.breakdown(unseen):
        assert share.ms * 1000 == pytest.approx(true_us(share.kernel), rel=0.08)
    true_ms = sum(true_us(kernel.key) for kernel in fused_kernels(unseen)) / 1000
    assert model.arch_ms(unseen) == pytest.approx(true_ms, rel=0.04)


def test_far_off_widths_are_missing(table: LatencyTable) -> None:
    arch = SPACE.build(smallest)
    model = knowing(table, arch)
    far = arch.with_widths({CLASSES: 100_000})
    (key,) = model.missing([far])
    with pytest.raises(InputError, match=f"no row for '{key}'"):
        model.arch_ms(far)


def test_prices_are_remembered(table: LatencyTable, monkeypatch: pytest.MonkeyPatch) -> None:
    arch = SPACE.build(largest)
    model, other = knowing(table, arch), arch.with_widths({CLASSES: 12})
    price = model.arch_ms(other)
    assert model.interpolated([other])
    monkeypatch.setattr("nas.latency.model._similar", lambda _table: pytest.fail("asked again"))
    monkeypatch.setattr("nas.latency.similar.Similar.us", lambda *_args: pytest.fail("asked again"))
    assert model.arch_ms(other) == price
    assert model.missing([other]) == []


def test_what_was_asked_before_changes_no_price(table: LatencyTable) -> None:
    arch = SPACE.build(largest)
    first, second = knowing(table, arch), knowing(table, arch)
    others = [arch.with_widths({CLASSES: count}) for count in (9, 11, 12)]
    assert [first.arch_ms(other) for other in others] == [second.arch_ms(other) for other in others[::-1]][::-1]


def test_a_table_without_rows_prices_nothing(table: LatencyTable, arch: Arch) -> None:
    empty = LatencyModel(table=dataclasses.replace(table, rows={}), scale=1.0, kernels=fused_kernels)
    assert len(empty.missing([arch])) == len(fused_kernels(arch))
    with pytest.raises(InputError, match="no row for"):
        empty.arch_ms(arch)


def test_a_refused_network_costs_infinitely_much(model: LatencyModel, arch: Arch) -> None:
    key = fused_kernels(arch)[3].key
    pickier = refusing(model, key)
    assert pickier.arch_ms(arch) == math.inf
    assert pickier.missing([arch]) == pickier.interpolated([arch]) == []
    assert [share.kernel for share in pickier.breakdown(arch) if math.isinf(share.ms)] == [key]
    assert sum(share.ms for share in pickier.breakdown(arch)) == math.inf


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
