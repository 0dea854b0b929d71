import dataclasses
import random

import pytest
import torch

from nas.arch import IMAGE, Builder, Kind
from nas.errors import InputError
from nas.net import Network, network_of, slice_weights
from nas.space import decisions, largest, record, smallest, uniform
from search_spaces.mobilenet_v4 import MEMBERS, UniversalBottleneck, mobilenet_v4_conv_small
from search_spaces.mobilenet_v4_space import MobileNetV4Space
from search_spaces.trunk import StageOptions
from tests.search_spaces.reference import assert_counts


def test_counts_are_those_of_the_reference():
    assert_counts(MEMBERS, "mobilenet_v4")


@pytest.mark.parametrize(
    ("first", "second", "strided"),
    [(0, 3, ["b.second"]), (5, 0, ["b.first"]), (5, 3, ["b.second"]), (0, 0, [])],
    ids=["inverted", "convnext", "extra depthwise", "feed-forward"],
)
def test_the_four_forms_of_the_block(first, second, strided):
    net = Builder(size_px=8, image_channels=3)
    source = net.conv("stem", IMAGE, net.width("in", 16))
    block = UniversalBottleneck(first=first, second=second, mid=32, stride=2)
    arch = net.classify(block.write(net, "b", source, "in", net.width("out", 24)), classes=2)
    named = zip(arch.layers, arch.ops(), strict=True)
    assert [layer.name for layer, op in named if op.stride == 2] == strided
    assert sum(op.depthwise for op in arch.ops()) == bool(first) + bool(second)


def test_maps_shrink_as_designed():
    arch = mobilenet_v4_conv_small()
    assert [op.out_px for op in arch.ops() if op.stride == 2] == [112, 56, 28, 14, 7]
    assert sum(layer.kind is Kind.ADD for layer in arch.layers) == 10


SPACE = MobileNetV4Space(
    name="tiny",
    image_channels=1,
    classes=5,
    sizes_px=(16,),
    stem_widths=(8, 16),
    stem_stride=2,
    stages=(
        StageOptions(widths=(8, 16), depths=(1, 2), stride=1),
        StageOptions(widths=(16, 24), depths=(1, 2), stride=2),
    ),
    first_kernels=(0, 3),
    second_kernels=(0, 3, 5),
    expansions=(2, 3),
    head_widths=(16, 32),
)


def test_a_strided_block_has_a_depthwise_convolution():
    found = decisions(SPACE)
    assert {name: len(options) for name, options in found.items() if ".b" in name} == {
        "s0.b0": 12,
        "s0.b1": 12,
        "s1.b0": 10,
        "s1.b1": 12,
    }
    assert record(SPACE, smallest)[0].ops()[-3].in_px == 4


def test_the_largest_network_holds_every_member():
    whole = record(SPACE, largest)[0]
    tensors = Network(whole).tensors()
    for seed in range(20):
        member = record(SPACE, uniform(random.Random(seed)))[0]
        network = network_of(member, slice_weights(whole, tensors, member)).eval()
        assert network(torch.rand(2, 1, 16, 16)).shape == (2, 5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"first_kernels": (0, 4)}, "first_kernels.*odd"),
        ({"first_kernels": (0,), "second_kernels": (0,)}, "neighbours"),
        ({"expansions": (0,)}, "positive"),
        ({"head_widths": ()}, "is empty"),
        ({"classes": 0}, "classes = 0"),
        ({"stages": (StageOptions(widths=(8,), depths=(1,), stride=0),)}, "stride = 0"),
    ],
)
def test_spaces_that_make_no_sense_are_refused(change, says):
    with pytest.raises(InputError, match=says):
        dataclasses.replace(SPACE, **change)
