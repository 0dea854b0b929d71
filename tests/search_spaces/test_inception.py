"""The Inception networks: published sizes, factorised kernels, modules as concats of their branches."""

from __future__ import annotations

import pytest

from nas.arch import IMAGE, Builder, Kind, cost
from nas.errors import InputError
from nas.net import Network, slice_weights
from search_spaces.googlenet import googlenet
from search_spaces.inception import AvgPool, Conv, Fork, MaxPool, module
from search_spaces.inception_v3 import inception_v3
from search_spaces.inception_v4 import inception_v4


@pytest.mark.parametrize(
    ("build", "size_px", "params", "gmacs"),
    [
        (googlenet, 224, 6_624_904, 1.50),  # torchvision, without the auxiliary classifiers
        (inception_v3, 299, 23_834_568, 5.71),  # torchvision, without the auxiliary classifier
        (inception_v4, 299, 42_679_816, 12.28),  # timm
    ],
)
def test_published_costs(build, size_px, params, gmacs):
    found = cost(build(size_px=size_px))
    assert found.params == params
    assert found.macs / 1e9 == pytest.approx(gmacs, rel=0.01)


@pytest.mark.parametrize("build", [inception_v3, inception_v4])
def test_large_kernels_are_factorised(build):
    kernels = {op.kernel for op in build(size_px=75).ops() if op.kind is Kind.CONV}
    assert kernels >= {(1, 7), (7, 1), (1, 3), (3, 1)}
    assert max(max(kernel) for kernel in kernels) == 7
    assert (7, 7) not in kernels


@pytest.mark.parametrize(("build", "counts"), [(inception_v3, True), (inception_v4, False)])
def test_average_pools_count_their_padding_where_the_original_does(build, counts):
    assert {op.counts_padding for op in build(size_px=75).ops() if op.kind is Kind.AVG_POOL} == {counts}


def test_pools_of_googlenet_leave_no_pixel_out():
    sizes = [op.out_px for op in googlenet().ops() if op.kind is Kind.MAX_POOL and op.stride == 2]
    assert sizes == [56, 28, 14, 7]


@pytest.mark.parametrize("build", [inception_v3, inception_v4])
def test_images_too_small_are_refused(build):
    with pytest.raises(InputError, match="does not fit"):
        build(size_px=74)


def test_a_module_joins_the_ends_of_its_branches_in_order():
    net = Builder(size_px=8, image_channels=3)
    fork = Fork(((Conv(6, (1, 3)),), (MaxPool(1), Conv(7))))
    module(net, "m", IMAGE, ((Conv(4),), (Conv(5), fork), (AvgPool(),)))
    arch = net.finish()
    assert arch.layers[-1].inputs == ("m.0.0", "m.1.1.0.0", "m.1.1.1.1", "m.2.0")
    assert arch.ops()[-1].out_channels == 4 + 6 + 7 + 3


@pytest.mark.parametrize("width", ["m0.1.1", "m9.1.1.0.0", "m3.0.0"])
def test_a_branch_may_be_narrowed(width):
    arch = inception_v3(size_px=75, classes=10)
    narrower = arch.with_widths({width: arch.widths[width] - 8})
    shapes = {name: tensor.shape for name, tensor in Network(narrower).tensors().items()}
    cut = slice_weights(arch, Network(arch).tensors(), narrower)
    assert {name: tensor.shape for name, tensor in cut.items()} == shapes
