import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.arch import Act, Kind, cost, digest
from nas.errors import InputError
from nas.space import decisions, known_members, largest, record, replay, smallest, uniform
from search_spaces.mobilenet_v3 import MobileNetV3Space, StageSpace, mobilenet_v3_large, mobilenet_v3_small

SPACE = MobileNetV3Space(
    name="small",
    image_channels=1,
    classes=10,
    sizes_px=(24, 28),
    stem_widths=(8, 16),
    stem_stride=2,
    stages=(
        StageSpace(widths=(16, 24), depths=(1, 2), stride=1),
        StageSpace(widths=(24, 40), depths=(1, 3), stride=2, kernels=(3, 5, 7), acts=("hswish",)),
    ),
    kernels=(3, 5),
    expansions=(1.0, 3.0, 6.0),
    se=(False, True),
    acts=("relu", "hswish"),
    head_expansions=(2.0, 6.0),
    feature_widths=(0, 64),
)


def draw(seed):
    return record(SPACE, uniform(random.Random(seed)))


def test_decisions_are_one_a_block():
    found = decisions(SPACE)
    blocks = {name: len(options) for name, options in found.items() if ".b" in name}
    assert blocks == {"s0.b0": 24, "s0.b1": 24, "s1.b0": 18, "s1.b1": 18, "s1.b2": 18}
    assert set(found) - set(blocks) == {
        "size_px",
        "stem.width",
        "s0.width",
        "s0.depth",
        "s1.width",
        "s1.depth",
        "head.expansion",
        "features.width",
    }


@given(st.integers(0, 10_000))
def test_every_member_lies_between_the_smallest_and_the_largest(seed):
    arch, _ = draw(seed)
    low, high = (cost(record(SPACE, choose)[0]) for choose in (smallest, largest))
    found = cost(arch)
    assert low.macs <= found.macs <= high.macs
    assert low.params <= found.params <= high.params


@given(st.integers(0, 10_000))
def test_choices_are_what_the_network_has(seed):
    arch, choices = draw(seed)
    ops = {layer.name: op for layer, op in zip(arch.layers, arch.ops(), strict=True)}
    assert arch.size_px == choices["size_px"]
    assert ("features" in ops) == bool(choices["features.width"])
    for name in (name for name in choices if ".b" in name):
        kernel, _, se, act = str(choices[name]).split()
        depthwise = ops[f"{name}.depthwise"]
        assert depthwise.kernel[0] == int(kernel[1:])
        assert depthwise.act == Act(act)
        assert (f"{name}.se" in ops) == (se == "se")
        assert ops[f"{name}.project"].out_channels == choices[f"{name.split('.')[0]}.width"]


@given(st.integers(0, 10_000))
def test_channels_are_multiples_of_the_grain(seed):
    arch, _ = draw(seed)
    assert all(count % 8 == 0 for name, count in arch.widths.items() if name not in {"image", "classes"})


@given(st.integers(0, 10_000))
def test_residual_sums_are_where_shapes_allow(seed):
    arch, choices = draw(seed)
    sums = {layer.name for layer in arch.layers if layer.kind is Kind.ADD}
    assert sums == {f"{name}.sum" for name in choices if ".b" in name and not name.endswith("b0")}


def test_squeeze_excite_shows_in_the_digest():
    _, choices = record(SPACE, largest)
    without = {name: str(value).replace(" se ", " - ") if name == "s0.b0" else value for name, value in choices.items()}
    one, two = (SPACE.build(lambda name, _, made=made: made[name]) for made in (choices, without))
    assert digest(one) != digest(two)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kernels": ()}, "kernels is empty"),
        ({"kernels": (4,)}, "odd"),
        ({"kernels": (5, 3)}, "ascending"),
        ({"expansions": (3.0, 3.0)}, "without repetitions"),
        ({"expansions": (0.0, 3.0)}, "positive"),
        ({"acts": ("relu", "hswihs")}, "unknown activation 'hswihs'"),
        ({"se": (True, False)}, "ascending"),
        ({"sizes_px": (0, 28)}, "positive"),
        ({"stem_widths": (-8, 8)}, "positive"),
        ({"classes": 0}, "classes = 0"),
        ({"grain": 0}, "grain = 0"),
        ({"stages": (StageSpace(widths=(8,), depths=(0, 1), stride=1),)}, r"stages\[0\].depths"),
        ({"stages": (StageSpace(widths=(), depths=(1,), stride=1),)}, r"stages\[0\].widths is empty"),
        ({"stages": (StageSpace(widths=(8,), depths=(1,), stride=0),)}, r"stages\[0\]: stride = 0"),
        ({"stages": (StageSpace(widths=(8,), depths=(1,), stride=1, kernels=(2,)),)}, r"stages\[0\].kernels"),
    ],
)
def test_spaces_that_make_no_sense_are_refused(change, says):
    with pytest.raises(InputError, match=says):
        dataclasses.replace(SPACE, **change)


def test_hand_designed_networks_take_any_input():
    large, small = mobilenet_v3_large(), mobilenet_v3_small(width=0.5, size_px=32, image_channels=1, classes=7)
    assert [op.out_px for op in large.ops() if op.stride == 2] == [112, 56, 28, 14, 7]
    assert sum(layer.kind is Kind.SE for layer in large.layers) == 8
    assert sum(layer.kind is Kind.SE for layer in small.layers) == 9
    assert (small.classes, small.size_px, small.widths["image"]) == (7, 32, 1)


LARGE_LIKE = MobileNetV3Space(
    name="large_like",
    image_channels=3,
    classes=1000,
    sizes_px=(160, 224),
    stem_widths=(8, 16),
    stem_stride=2,
    stages=tuple(
        StageSpace(widths=(width // 2, width), depths=(1, depth) if depth > 1 else (1,), stride=stride)
        for width, depth, stride in ((16, 1, 1), (24, 2, 2), (40, 3, 2), (80, 4, 2), (112, 2, 1), (160, 3, 2))
    ),
    kernels=(3, 5),
    expansions=(1.0, 2.5, 3.0, 4.0, 6.0),
    se=(False, True),
    acts=("relu", "hswish"),
    head_expansions=(6.0,),
    feature_widths=(1280,),
)


def test_hand_designed_networks_are_known_members_where_the_stages_agree():
    known = known_members(LARGE_LIKE)
    archs = [record(LARGE_LIKE, replay(choices))[0] for choices in known]
    found, written = cost(archs[0]), cost(mobilenet_v3_large())
    assert found.params == pytest.approx(written.params, rel=0.01)
    assert found.macs == pytest.approx(written.macs, rel=0.02)
    macs = [cost(arch).macs for arch in archs]
    assert macs == sorted(set(macs), reverse=True)
    assert known_members(SPACE) == ()
