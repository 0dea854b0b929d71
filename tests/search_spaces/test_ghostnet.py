import dataclasses
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.arch import Kind, cost
from nas.errors import InputError
from nas.net import Network, network_of, slice_weights
from nas.netadapt.moves import shrink
from nas.space import decisions, largest, record, smallest, uniform
from search_spaces.ghostnet import MEMBERS, ghostnet
from search_spaces.ghostnet_space import GhostNetSpace, GhostStage
from tests.search_spaces.reference import assert_counts

SPACE = GhostNetSpace(
    name="tiny",
    image_channels=1,
    classes=5,
    sizes_px=(16,),
    stem_widths=(8, 16),
    stem_stride=2,
    stages=(
        GhostStage(width=16, depths=(1, 2), stride=1),
        GhostStage(width=24, depths=(1, 2), stride=2, kernel=5),
    ),
    kernels=(3, 5),
    expansions=(1, 2, 3),
    se=(False, True),
    head_widths=(16, 32),
    feature_widths=(16, 24),
)


def test_counts_are_those_of_the_reference():
    assert_counts(MEMBERS, "ghostnet")


def test_half_of_the_channels_are_ghosts():
    arch = ghostnet(width=0.5, size_px=64, classes=3)
    ops = {layer.name: op for layer, op in zip(arch.layers, arch.ops(), strict=True)}
    for name, op in ops.items():
        if op.kind is Kind.CONCAT:
            primary, ghosts = (ops[name.replace("both", part)] for part in ("primary", "ghosts"))
            assert op.out_channels == 2 * primary.out_channels
            assert ghosts.depthwise


def test_a_block_is_trimmed_and_runs():
    arch = ghostnet(width=0.5, size_px=32, total_stride=8, classes=3)
    narrower = shrink(arch, arch, "b5.half", 32, grain=8)
    assert cost(narrower).params < cost(arch).params
    assert Network(narrower).eval()(torch.rand(1, 3, 32, 32)).shape == (1, 3)


def test_decisions_are_one_a_block():
    found = decisions(SPACE)
    assert {name: len(options) for name, options in found.items() if ".b" in name} == dict.fromkeys(
        ("s0.b0", "s0.b1", "s1.b0", "s1.b1"), 12
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_largest_network_holds_every_member(seed):
    whole, (member, _) = record(SPACE, largest)[0], record(SPACE, uniform(random.Random(seed)))
    network = network_of(member, slice_weights(whole, Network(whole).tensors(), member)).eval()
    assert network(torch.rand(2, 1, 16, 16)).shape == (2, 5)
    low = cost(record(SPACE, smallest)[0])
    assert low.params <= cost(member).params <= cost(whole).params


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kernels": (4,)}, "odd"),
        ({"expansions": ()}, "is empty"),
        ({"se": (True, False)}, "ascending"),
        ({"head_widths": (0, 8)}, "positive"),
        ({"grain": 0}, "grain = 0"),
        ({"stages": (GhostStage(width=15, depths=(1,), stride=1),)}, "must be even"),
        ({"stages": (GhostStage(width=16, depths=(0,), stride=1),)}, r"stages\[0\].depths"),
        (
            {"stages": (GhostStage(width=16, depths=(1,), stride=1, kernel=2),)},
            r"stages\[0\].kernel = \[2\] must be odd",
        ),
        ({"feature_widths": (0, 16)}, "stands alone"),
    ],
)
def test_spaces_that_make_no_sense_are_refused(change, says):
    with pytest.raises(InputError, match=says):
        dataclasses.replace(SPACE, **change)
