import pytest

from nas.arch import Kind, cost, op_macs
from nas.errors import InputError
from nas.netadapt.moves import shrink
from search_spaces.shufflenet_v1 import shufflenet_v1


@pytest.mark.parametrize(("groups", "mflops"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_complexity_is_that_of_the_papers_table(groups, mflops):
    """The paper's table 2, which leaves the classifier out."""
    *body, classifier = shufflenet_v1(groups=groups).ops()
    assert classifier.kind is Kind.LINEAR
    assert sum(map(op_macs, body)) / 1e6 == pytest.approx(mflops, abs=0.51)


def test_groups_exchange_channels_between_their_convolutions():
    arch = shufflenet_v1(groups=4)
    layers = {layer.name: layer for layer in arch.layers}
    expand, shuffle, project = (layers[f"s1.b2.{name}"] for name in ("expand", "shuffle", "project"))
    assert expand.groups == shuffle.groups == project.groups == 4
    assert layers["s0.b0.expand"].groups == 1  # too few channels to divide
    assert not any(layer.kind is Kind.SHUFFLE for layer in shufflenet_v1(groups=1).layers)


def test_stages_widen_by_concatenation():
    arch = shufflenet_v1(groups=3)
    made = {layer.name: op for layer, op in zip(arch.layers, arch.ops(), strict=True)}
    assert [made[f"s{i}.b0.cat"].out_channels for i in range(3)] == [240, 480, 960]
    assert made["s0.b0.project"].out_channels == 240 - 24


def test_channels_inside_a_unit_trim_to_what_the_groups_divide():
    arch = shufflenet_v1(groups=3)
    narrower = shrink(arch, arch, "s1.b1.mid", 48, grain=8)
    assert cost(narrower).macs < cost(arch).macs
    with pytest.raises(InputError, match="in 3 groups"):
        shrink(arch, arch, "s1.b1.mid", 56, grain=8)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"groups": 5}, "groups = 5"),
        ({"width": 0.0}, "width = 0.0"),
        ({"width": float("inf")}, "width = inf"),
        ({"total_stride": 5}, "total_stride = 5"),
        ({"size_px": 8}, "size_px = 8"),
    ],
)
def test_what_makes_no_network_is_refused(options, says):
    with pytest.raises(InputError, match=says):
        shufflenet_v1(**options)
