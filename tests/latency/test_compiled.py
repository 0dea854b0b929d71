"""A compiled model gives the very milliseconds of the model, for every network of a space."""

from __future__ import annotations

import dataclasses
import math
import random
import zlib
from collections.abc import Iterable

import numpy as np
import pytest

from nas.arch import Arch
from nas.errors import InputError
from nas.latency.compiled import CompiledModel, compile_model
from nas.latency.kernels import fused_kernels
from nas.latency.model import LatencyModel
from nas.latency.table import LatencyTable
from nas.space import Choices, Choose, SearchSpace, largest, record, uniform
from search_spaces.mobilenet_v3 import MobileNetV3Space, StageSpace
from tests.searcher.enumeration import everything

SCALE = 1.0372911
SPACE = MobileNetV3Space(
    name="elastic",
    image_channels=1,
    classes=10,
    sizes_px=(8, 12),
    stem_widths=(8, 16),
    stem_stride=2,
    stages=(
        StageSpace(widths=(8, 16), depths=(1, 2), stride=1),
        StageSpace(widths=(16, 24), depths=(1, 2), stride=2),
    ),
    kernels=(3,),
    expansions=(2.0,),
    se=(False, True),
    acts=("relu",),
    head_expansions=(2,),
    feature_widths=(0,),
)
Networks = list[tuple[Arch, Choices]]


@pytest.fixture(scope="module")
def networks() -> Networks:
    return list(everything(SPACE))


def model_for(archs: Iterable[Arch], table: LatencyTable) -> LatencyModel:
    """A row for every kernel of networks, between 0 and 100 us."""
    row = next(iter(table.rows.values()))
    keys = {kernel.key for arch in archs for kernel in fused_kernels(arch)}
    rows = {key: dataclasses.replace(row, us=zlib.crc32(key.encode()) % 10**6 / 1e4) for key in sorted(keys)}
    return LatencyModel(table=dataclasses.replace(table, rows=rows), scale=SCALE, kernels=fused_kernels)


def without(model: LatencyModel, key: str) -> LatencyModel:
    rows = {name: row for name, row in model.table.rows.items() if name != key}
    return dataclasses.replace(model, table=dataclasses.replace(model.table, rows=rows))


@pytest.fixture
def model(table: LatencyTable, networks: Networks) -> LatencyModel:
    return model_for((arch for arch, _ in networks), table)


def compiled_of(model: LatencyModel, space: SearchSpace = SPACE) -> CompiledModel:
    compiled = compile_model(model, space)
    assert compiled is not None
    return compiled


def test_every_network_costs_what_its_rows_sum_to_exactly(model: LatencyModel, networks: Networks) -> None:
    compiled = compiled_of(model)
    ms = compiled.ms(compiled.codes([choices for _, choices in networks]))
    for i, (arch, choices) in enumerate(networks):
        units = sum(round(model.table.rows[kernel.key].us * 1e4) for kernel in fused_kernels(arch))
        assert ms[i] == compiled.one_ms(choices) == SCALE * units / 1e7 == model.arch_ms(arch)


def test_another_scale_needs_no_other_tables(model: LatencyModel, networks: Networks) -> None:
    _, choices = networks[0]
    again = dataclasses.replace(compiled_of(model), scale=2 * SCALE)
    assert again.one_ms(choices) == compiled_of(dataclasses.replace(model, scale=2 * SCALE)).one_ms(choices)


def test_a_block_beyond_the_depth_costs_infinitely_much(model: LatencyModel) -> None:
    compiled = compiled_of(model)
    _, choices = record(SPACE, largest)
    assert math.isfinite(compiled.one_ms(choices))
    assert compiled.one_ms({**choices, "s0.depth": 1}) == math.inf


def test_a_network_that_the_target_refuses_costs_infinitely_much(model: LatencyModel, networks: Networks) -> None:
    key = next(key for key in model.table.rows if key.startswith("se 48 2px"))
    table = dataclasses.replace(model.table, rows=without(model, key).table.rows, refused={key: "crashed"})
    pickier = dataclasses.replace(model, table=table)
    compiled = compiled_of(pickier)
    refused = [math.isinf(pickier.arch_ms(arch)) for arch, _ in networks]
    assert 0 < sum(refused) < len(refused) / 2
    assert np.isinf(compiled.ms(compiled.codes([choices for _, choices in networks]))).tolist() == refused


def test_a_table_that_lacks_the_classifier_is_refused(model: LatencyModel, networks: Networks) -> None:
    rows = {key: row for key, row in model.table.rows.items() if not key.startswith("linear")}
    poorer = dataclasses.replace(model, table=dataclasses.replace(model.table, rows=rows))
    with pytest.raises(InputError, match="no row for 'linear "):
        compile_model(poorer, SPACE)


def test_an_option_of_another_space_is_named(model: LatencyModel) -> None:
    _, choices = record(SPACE, largest)
    with pytest.raises(InputError, match=r"choice 'size_px' = 224 is not one of \[8, 12\]"):
        compiled_of(model).one_ms({**choices, "size_px": 224})


def test_a_space_that_decides_by_chance_is_not_compiled(model: LatencyModel) -> None:
    class Moody:
        name = "moody"

        def __init__(self) -> None:
            self.rng = random.Random(0)

        def build(self, choose: Choose, /) -> Arch:
            arch = SPACE.build(choose)
            return SPACE.build(uniform(self.rng)) if self.rng.random() < 0.02 else arch

    assert compile_model(model, Moody()) is None
