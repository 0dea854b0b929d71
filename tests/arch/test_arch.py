import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.arch import CLASSES, IMAGE, Arch, Builder, Kind, Layer
from nas.errors import InputError

SEEDS = st.integers(0, 10_000)


def conv(name, source, width="w", **options):
    return Layer(name=name, kind=Kind.CONV, inputs=(source,), width=width, **options)


def network(*layers, **widths):
    return Arch(layers=layers, widths={IMAGE: 4, "w": 8, **widths}, size_px=16)


@given(SEEDS)
def test_shapes_follow_through_the_layers(random_arch, seed):
    arch = random_arch(seed)
    made = {IMAGE: (arch.widths[IMAGE], arch.size_px)}
    for layer, op in zip(arch.layers, arch.ops(), strict=True):
        assert {made[name] for name in layer.inputs} == {(op.in_channels, op.in_px)}
        made[layer.name] = (op.out_channels, op.out_px)
    assert made[arch.layers[-1].name] == (arch.classes, 1)


@given(SEEDS)
def test_archs_are_values(random_arch, seed):
    arch = random_arch(seed)
    for twin in (pickle.loads(pickle.dumps(arch)), copy.deepcopy(arch), arch.with_widths({})):  # noqa: S301
        assert twin == arch
        assert hash(twin) == hash(arch)


def test_widths_cannot_be_changed_in_place(random_arch):
    with pytest.raises(TypeError):
        random_arch(0).widths["s0"] = 5


def test_with_widths_reaches_every_layer_that_shares_the_name():
    net = Builder(size_px=8, image_channels=3)
    stem = net.conv("stem", IMAGE, net.width("s", 16), kernel=3)
    x = net.depthwise("dw", net.conv("expand", stem, net.width("mid", 32)), kernel=3)
    arch = net.classify(net.pool("pool", net.residual("sum", stem, net.conv("project", x, "s"))), classes=5)
    ops = dict(zip([layer.name for layer in arch.layers], arch.with_widths({"s": 8, "mid": 24}).ops(), strict=True))
    assert (ops["stem"].out_channels, ops["project"].out_channels, ops["sum"].in_channels) == (8, 8, 8)
    assert (ops["expand"].out_channels, ops["dw"].groups, ops["project"].in_channels) == (24, 24, 24)
    assert arch.widths["s"] == 16


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"steam": 8}, "did you mean 'stem'"), ({"stem": 0}, "must be at least 1"), ({"stem": -8}, "must be at least 1")],
)
def test_with_widths_refuses(random_arch, changes, says):
    with pytest.raises(InputError, match=says):
        random_arch(0).with_widths(changes)


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ((), "at least one layer"),
        ((conv("a", "imege"),), "did you mean 'image'"),
        ((conv("b", "a"), conv("a", IMAGE)), "no earlier layer makes"),
        ((conv("a", IMAGE), conv("a", "a")), "used twice"),
        ((conv("image", IMAGE),), "used twice"),
        ((conv("a", IMAGE, width="v"),), "width 'v' is 0"),
        ((conv("a", IMAGE, groups=3),), "in 3 groups"),
        ((conv("a", IMAGE, kernel=(17, 17), padding=(0, 0)),), "does not fit"),
        ((conv("a", IMAGE, kernel=(0, 0)),), "does not fit"),
        ((conv("a", IMAGE, kernel=(3, 1), padding=(0, 0)),), "feature maps are square"),
        ((conv("a", IMAGE), Layer(name="s", kind=Kind.ADD, inputs=("a", IMAGE))), r"adds \[8, 4\] channels"),
        ((conv("a", IMAGE, stride=2), Layer(name="s", kind=Kind.CONCAT, inputs=("a", IMAGE))), r"sizes \[8, 16\] px"),
        ((Layer(name="s", kind=Kind.SLICE, inputs=(IMAGE,), width="w"),), "channels 0..8 of 4"),
        ((Layer(name="s", kind=Kind.SHUFFLE, inputs=(IMAGE,), groups=3),), "4 channels in 3 groups"),
        ((Layer(name="s", kind=Kind.SE, inputs=(IMAGE,)),), "width '' is 0"),
        ((Layer(name="s", kind=Kind.AVG_POOL, inputs=(IMAGE,), dilation=2),), "average pools have none"),
        ((Layer(name="s", kind=Kind.ACT, inputs=()),), "has no input"),
    ],
)
def test_what_is_not_a_network_is_refused_with_the_layer_named(layers, says):
    with pytest.raises(InputError, match=says):
        network(*layers)


@pytest.mark.parametrize("size_px", [0, -1])
def test_images_have_a_size(size_px):
    layer = Layer(name="pool", kind=Kind.GLOBAL_POOL, inputs=(IMAGE,))
    with pytest.raises(InputError, match="size_px"):
        Arch(layers=(layer,), widths={IMAGE: 3, CLASSES: 3}, size_px=size_px)


@pytest.mark.parametrize(
    ("options", "out_px"),
    [
        ({"kernel": (3, 3)}, 16),
        ({"kernel": (3, 3), "stride": 2}, 8),
        ({"kernel": (5, 5), "dilation": 2}, 16),
        ({"kernel": (3, 3), "padding": (0, 0)}, 14),
        ({"kernel": (2, 2), "stride": 2, "padding": (0, 0)}, 8),
        ({"kernel": (7, 1)}, 16),
        ({"kernel": (1, 7), "stride": 2}, 8),
        ({"kernel": (3, 1), "padding": (1, 0)}, 16),
    ],
)
def test_output_size_of_windows(options, out_px):
    assert network(conv("a", IMAGE, **options)).ops()[0].out_px == out_px


def test_classes_are_the_outputs_channels_whatever_their_width_is_called():
    assert network(conv("a", IMAGE), Layer(name="pool", kind=Kind.GLOBAL_POOL, inputs=("a",))).classes == 8
