import pytest
import torch

from nas.arch import IMAGE, Act, Builder, cost
from nas.net import Network
from nas.netadapt.moves import shrink
from search_spaces.igcv import MEMBERS, InterleavedPair, InterleavedResidual, StructuredSparse

CLASSIFIER = {"igcv1_l4m32": 1025_000, "igcv1_l100m2": 0}  # what the published count leaves out
PUBLISHED_M = {"igcv1_l4m32": 11.205, "igcv1_l100m2": 8.61}  # parameters: arXiv 1707.02725, table 7
# An independent implementation's parameters: osmr/imgclsmob.
IGCV3 = {"igcv3_d_0.5": 1_985_528, "igcv3_d_0.75": 2_638_084, "igcv3_d_1.0": 3_491_688}


@pytest.mark.parametrize("name", PUBLISHED_M)
def test_igcv1_has_the_published_parameters_without_batch_norm(name):
    arch = MEMBERS[name]()
    norms = sum(2 * op.out_channels for op in arch.ops() if op.kind == "conv" and op.norm)
    assert (cost(arch).params - norms - CLASSIFIER[name]) / 1e6 == pytest.approx(PUBLISHED_M[name], rel=5e-4)


def test_igcv1_has_the_published_macs():
    assert round(cost(MEMBERS["igcv1_l4m32"]()).macs / 1e9, 1) == 1.9
    assert round(cost(MEMBERS["igcv1_l100m2"]()).macs / 1e9, 1) == 1.3


@pytest.mark.parametrize("name", IGCV3)
def test_igcv3_has_the_published_parameters(name):
    assert cost(MEMBERS[name]()).params == IGCV3[name]


def reach(block, *args):
    """Which inputs (columns) each output (row) of a block of 8 channels sees, all weights being one."""
    net = Builder(size_px=1, image_channels=8)
    net.width("out", 8)
    block.write(net, "b", IMAGE, *args)
    arch = net.finish()
    network = Network(arch).eval()
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.fill_(1)
    x = torch.full((1, 8, 1, 1), 0.01)
    return torch.autograd.functional.jacobian(network, x).view(8, 8) != 0


@pytest.mark.parametrize(
    ("block", "args"),
    [
        (InterleavedPair(primary=2, secondary=4, stride=1, act=Act.RELU), ("out",)),
        (InterleavedPair(primary=4, secondary=2, stride=1, act=Act.RELU), ("out",)),
        (StructuredSparse(branch=2, chain=3, stride=1), (IMAGE, "out")),
        (InterleavedResidual(mid=16, groups=2, stride=1), (IMAGE, "out")),
    ],
    ids=["V1 L2M4", "V1 L4M2", "V2", "V3"],
)
def test_every_output_sees_every_input(block, args):
    assert reach(block, *args).all()


def test_without_the_last_link_of_the_chain_it_does_not():
    assert not reach(StructuredSparse(branch=2, chain=2, stride=1), IMAGE, "out").all()


@pytest.mark.parametrize(
    ("name", "width", "channels"),
    [("igcv1_l4m32", "s1.b0.mid", 192), ("igcv1_l100m2", "s1.b0.mid", 200), ("igcv3_d_1.0", "s2.b1.mid", 184)],
)
def test_members_are_trimmed_where_the_groups_allow(name, width, channels):
    arch = MEMBERS[name](size_px=32, classes=3)
    narrower = shrink(arch, arch, width, channels, grain=8)
    assert cost(narrower).params < cost(arch).params
    assert Network(narrower).eval()(torch.rand(1, 3, 32, 32)).shape == (1, 3)
