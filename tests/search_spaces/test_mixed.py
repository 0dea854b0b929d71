import dataclasses
import random

import pytest
import torch
from hypothesis import given as given_values
from hypothesis import strategies as st

from nas.arch import Arch, Kind, cost
from nas.errors import InputError
from nas.net import Supernet, given, slice_network
from nas.netadapt.moves import propose
from nas.space import decisions, known_members, record, replay, uniform
from nas.training import recalibrate
from search_spaces.mixed import Block, MixedSpace, MixedStage

SPACE = MixedSpace(
    name="tiny",
    image_channels=1,
    classes=10,
    sizes_px=(16,),
    stem_widths=(8,),
    stem_stride=2,
    stages=(
        MixedStage(widths=(8, 16), depths=(1, 2), stride=1),
        MixedStage(widths=(16, 24), depths=(2, 3), stride=2),
        MixedStage(widths=(24,), depths=(1,), stride=1, blocks=("shuffle", "ghost")),
    ),
    blocks=tuple(Block),
    kernels=(3, 5),
    expansions=(2, 3),
    head_widths=(16, 32),
)


def of_kind(block: Block) -> Arch:
    space = dataclasses.replace(SPACE, stages=SPACE.stages[:2], blocks=(block,))
    return space.build(lambda _name, options: options[-1])


def test_a_stage_decides_once_for_its_blocks():
    found = decisions(SPACE)
    assert [option.split()[0] for option in found["s0.block"][::2]] == [
        *("shuffle", "separable", "lcnet", "ghost", "ghost", "inverted", "inverted", "mbconv", "mbconv", "fused")
    ]
    assert {option.split()[0] for option in found["s2.block"]} == {"shuffle", "ghost"}
    assert not any(".b0" in name for name in found)


@given_values(st.integers(0, 10_000))
def test_every_combination_is_a_network(seed):
    arch, choices = record(SPACE, uniform(random.Random(seed)))
    for name, label in choices.items():
        stage, _, of = name.partition(".")
        if of == "block":
            kinds = {layer.name.split(".")[2] for layer in arch.layers if layer.name.startswith(f"{stage}.b")}
            assert kinds == {str(label).split()[0]}


def test_kinds_are_listed_by_what_they_cost():
    macs = [cost(of_kind(block)).macs for block in Block]
    assert macs == sorted(macs)


def test_the_supernet_holds_every_kinds_weights():
    supernet, rng = Supernet.of(SPACE), random.Random(0)
    for _ in range(10):
        arch = SPACE.build(uniform(rng))
        x = torch.randn(4, 1, 16, 16)
        stats = recalibrate(supernet, arch, x)
        with torch.no_grad():
            assert torch.equal(supernet(x, arch, given(stats)), slice_network(supernet, arch, stats)(x))


@pytest.mark.parametrize("block", Block)
def test_every_kind_can_be_trimmed(block):
    arch = of_kind(block)
    moves = propose(arch, arch, saving_ms=1, latency=lambda one: cost(one).macs / 1e3, grain=4)
    assert moves
    assert all(move.latency_ms < cost(arch).macs / 1e3 for move in moves)


def test_networks_of_one_kind_are_known_members():
    assert [choices["s0.block"] for choices in known_members(SPACE)] == ["shuffle k5", "ghost k5 e3"]
    arch = SPACE.build(replay(known_members(SPACE)[0]))
    assert any(layer.kind is Kind.SHUFFLE for layer in arch.layers)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"blocks": ("gost",)}, r"unknown kind of block 'gost' \(did you mean 'ghost'\?\)"),
        ({"blocks": ()}, "blocks is empty"),
        ({"expansions": (1, 2)}, "at least 2"),
        ({"kernels": (3, 4)}, "odd"),
        ({"stages": (MixedStage(widths=(7,), depths=(1,), stride=1),)}, "must be even"),
        ({"stages": (MixedStage(widths=(8,), depths=(1,), stride=0),)}, "stride = 0"),
    ],
)
def test_spaces_that_make_no_sense_are_refused(change, says):
    with pytest.raises(InputError, match=says):
        dataclasses.replace(SPACE, **change)
