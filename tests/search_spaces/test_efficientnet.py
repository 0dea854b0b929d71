import pytest

from nas.arch import Act, Kind, cost
from nas.errors import InputError
from search_spaces.efficientnet import MEMBERS, PHIS, compound, efficientnet, efficientnet_lite0
from tests.search_spaces.reference import assert_counts

RELEASED = (  # width, depth, pixels of B0..B7: tensorflow/tpu, efficientnet_builder
    (1.0, 1.0, 224),
    (1.0, 1.1, 240),
    (1.1, 1.2, 260),
    (1.2, 1.4, 300),
    (1.4, 1.8, 380),
    (1.6, 2.2, 456),
    (1.8, 2.6, 528),
    (2.0, 3.1, 600),
)


def test_counts_are_those_of_the_reference():
    assert_counts(MEMBERS, "efficientnet")


@pytest.mark.parametrize("i", range(8))
def test_compound_scaling_gives_the_released_networks(i):
    scale = compound(PHIS[i])
    assert (scale.width, scale.depth, scale.size_px) == RELEASED[i]


def test_networks_grow_with_phi():
    macs = [cost(efficientnet(phi=phi / 2)).macs for phi in range(-4, 8)]
    assert macs == sorted(macs)
    assert cost(efficientnet(phi=-2)).macs < cost(efficientnet()).macs


@pytest.mark.parametrize("phi", [-9, 13, float("nan")])
def test_a_phi_out_of_range_is_refused(phi):
    with pytest.raises(InputError, match="phi"):
        efficientnet(phi=phi)


def test_lite0_is_b0_without_what_integers_do_badly():
    kinds = {layer.kind for layer in efficientnet_lite0().layers}
    assert Kind.SE not in kinds
    assert {op.act for op in efficientnet_lite0().ops()} == {Act.RELU6, Act.IDENTITY}
