import dataclasses
import random

import pytest
import torch
from hypothesis import given as given_values
from hypothesis import strategies as st

from nas.arch import IMAGE, Act, Builder, Kind
from nas.errors import InputError
from nas.net import Network, Supernet, given, slice_network
from nas.space import known_members, record, replay, uniform
from nas.training import recalibrate
from search_spaces.shufflenet_v2 import ShuffleNetV2Space, ShuffleStage, ShuffleUnit, shufflenet_v2

SPACE = ShuffleNetV2Space(
    name="tiny",
    image_channels=1,
    classes=10,
    sizes_px=(16,),
    stem_widths=(8, 16),
    stem_stride=2,
    stem_pool=False,
    stages=(
        ShuffleStage(halves=(4, 8), depths=(1, 2, 3), stride=1),
        ShuffleStage(halves=(8, 12), depths=(1, 2), stride=2),
    ),
    kernels=(3, 5),
    se=(False, True),
    residual=(False, True),
    head_widths=(16, 32),
)


def unit(**options):
    net = Builder(size_px=4, image_channels=3)
    half = net.width("half", 4)
    stem = net.conv("stem", IMAGE, net.width("stem", 8), kernel=3)
    last = ShuffleUnit(kernel=3, act=Act.RELU, **options).write(net, "u", stem, half, half)
    return net.classify(net.pool("pool", last), classes=2), last


def test_half_of_the_channels_pass_through_and_take_every_other_place():
    arch, last = unit()
    seen = {}
    Network(arch).eval()(torch.randn(1, 3, 4, 4), watch=seen.__setitem__)
    torch.testing.assert_close(seen[last][:, 0::2], seen["stem"][:, :4])


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({}, "slice slice conv conv conv concat shuffle"),
        ({"squeeze": 8}, "slice slice conv conv conv se concat shuffle"),
        ({"residual": True}, "slice slice conv conv conv add concat shuffle"),
        ({"stride": 2, "residual": True}, "conv conv conv conv conv concat shuffle"),
    ],
)
def test_layers_of_a_unit(options, kinds):
    arch, _ = unit(**options)
    assert [layer.kind for layer in arch.layers[1:-2]] == [Kind(kind) for kind in kinds.split()]


@given_values(st.integers(0, 10_000))
def test_choices_are_what_the_network_has(seed):
    arch, choices = record(SPACE, uniform(random.Random(seed)))
    ops = {layer.name: op for layer, op in zip(arch.layers, arch.ops(), strict=True)}
    for name in (name for name in choices if ".b" in name):
        kernel, se, residual = str(choices[name]).split()
        assert ops[f"{name}.depthwise"].kernel[0] == int(kernel[1:])
        assert (f"{name}.se" in ops) == (se == "se")
        assert (f"{name}.sum" in ops) == (residual == "sum")
        assert ops[f"{name}.cat"].out_channels == 2 * choices[f"{name.split('.')[0]}.half"]


def test_the_largest_member_holds_every_other_ones_weights():
    supernet, rng = Supernet.of(SPACE), random.Random(0)
    assert len(supernet.archs) == 1
    for _ in range(10):
        arch = SPACE.build(uniform(rng))
        x = torch.randn(4, 1, 16, 16)
        stats = recalibrate(supernet, arch, x)
        with torch.no_grad():
            assert torch.equal(supernet(x, arch, given(stats)), slice_network(supernet, arch, stats)(x))


def test_hand_designed_networks_are_known_members():
    large = dataclasses.replace(
        SPACE,
        classes=1000,
        image_channels=3,
        sizes_px=(224,),
        stem_widths=(24,),
        stem_pool=True,
        stages=tuple(
            ShuffleStage(halves=tuple(half * 2**i for half in (24, 58)), depths=(depth,), stride=2)
            for i, depth in enumerate((4, 8, 4))
        ),
        head_widths=(1024,),
    )
    known = known_members(large)
    assert [large.build(replay(choices)).ops() for choices in known] == [
        shufflenet_v2(width=width).ops() for width in (1.0, 0.5)
    ]
    assert known_members(SPACE) == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kernels": (2,)}, "odd"),
        ({"se": ()}, "se is empty"),
        ({"residual": (True, False)}, "ascending"),
        ({"head_widths": (0,)}, "head_widths"),
        ({"stages": ()}, "stages = 0"),
        ({"stages": (ShuffleStage(halves=(8, 4), depths=(1,), stride=1),)}, r"stages\[0\].halves"),
        ({"stages": (ShuffleStage(halves=(4,), depths=(0,), stride=1),)}, r"stages\[0\].depths"),
        ({"stages": (ShuffleStage(halves=(4,), depths=(1,), stride=0),)}, r"stages\[0\]: stride = 0"),
    ],
)
def test_spaces_that_make_no_sense_are_refused(change, says):
    with pytest.raises(InputError, match=says):
        dataclasses.replace(SPACE, **change)


def test_small_images_keep_their_feature_maps():
    arch = shufflenet_v2(width=0.7, size_px=32, total_stride=8, image_channels=1, classes=7)
    assert min(op.out_px for op in arch.ops()[:-2]) == 4
    with pytest.raises(InputError, match=r"width = 0\.001"):
        shufflenet_v2(width=0.001)
