import dataclasses
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.arch import Act, Kind, cost
from nas.errors import InputError
from nas.net import Supernet, slice_weights
from nas.space import known_members, largest, record, replay, uniform
from search_spaces.lcnet import STAGES, LCNetSpace, pp_lcnet
from search_spaces.trunk import StageOptions

SPACE = LCNetSpace(
    name="tiny",
    image_channels=1,
    classes=10,
    sizes_px=(16,),
    stem_widths=(8, 16),
    stem_stride=2,
    stages=(
        StageOptions(widths=(8, 16), depths=(1, 2), stride=1),
        StageOptions(widths=(16, 24), depths=(2, 3), stride=2),
    ),
    kernels=(3, 5),
    se=(False, True),
    acts=("relu", "hswish"),
    feature_widths=(0, 32),
)


@pytest.mark.parametrize(("width", "params_m", "flops_m"), [(0.25, 1.52, 18.25), (2.0, 6.54, 590), (2.5, 9.04, 906)])
def test_widths_outside_the_reference_file_are_as_published(width, params_m, flops_m):
    """PaddleClas, PP-LCNet's model list; its FLOPs count batch norm and activations too, 1 to 9 % more."""
    found = cost(pp_lcnet(width=width))
    assert found.params / 1e6 == pytest.approx(params_m, rel=0.01)
    assert 0.91 < found.macs / (flops_m * 1e6) < 1


def test_large_kernels_and_squeeze_excite_are_near_the_end():
    arch = pp_lcnet()
    ops = arch.ops()
    kernels = [op.kernel[0] for op in ops if op.depthwise]
    assert kernels == [3] * 6 + [5] * 7
    with_se = [before.depthwise and after.kind is Kind.SE for before, after in itertools.pairwise(ops)]
    assert [se for op, se in zip(ops, with_se, strict=False) if op.depthwise] == [False] * 11 + [True] * 2


@given(st.integers(0, 10_000))
def test_choices_are_what_the_network_has(seed):
    arch, choices = record(SPACE, uniform(random.Random(seed)))
    ops = {layer.name: op for layer, op in zip(arch.layers, arch.ops(), strict=True)}
    acts = {op.act for op in ops.values() if op.kind is Kind.CONV}
    assert acts == {Act(choices["act"])}
    assert ("features" in ops) == bool(choices["features.width"])
    for name in (name for name in choices if ".b" in name):
        kernel, se = str(choices[name]).split()
        assert ops[f"{name}.depthwise"].kernel[0] == int(kernel[1:])
        assert (f"{name}.se" in ops) == (se == "se")


def test_the_largest_member_holds_every_other_ones_weights():
    supernet, rng = Supernet.of(SPACE), random.Random(0)
    assert supernet.archs == (SPACE.build(largest),)
    for _ in range(20):
        slice_weights(supernet.arch, supernet.tensors(), SPACE.build(uniform(rng)))


def test_hand_designed_networks_are_known_members():
    space = dataclasses.replace(
        SPACE,
        classes=1000,
        image_channels=3,
        sizes_px=(224,),
        stages=tuple(
            StageOptions(widths=(channels // 2, channels), depths=(len(units),), stride=stride)
            for channels, stride, units in STAGES
        ),
        feature_widths=(1280,),
    )
    known = [space.build(replay(choices)).ops() for choices in known_members(space)]
    assert known[0] == pp_lcnet().ops()
    assert pp_lcnet(width=0.5).ops() in known
    assert known_members(SPACE) == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kernels": (4,)}, "odd"),
        ({"acts": ("hswihs",)}, "unknown activation 'hswihs'"),
        ({"feature_widths": (-1, 0)}, "feature_widths"),
        ({"classes": 0}, "classes = 0"),
        ({"stages": (StageOptions(widths=(), depths=(1,), stride=1),)}, r"stages\[0\].widths is empty"),
    ],
)
def test_spaces_that_make_no_sense_are_refused(change, says):
    with pytest.raises(InputError, match=says):
        dataclasses.replace(SPACE, **change)
