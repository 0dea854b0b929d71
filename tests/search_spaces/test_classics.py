"""LeNet-5, AlexNet, VGG-16, Network in Network, SqueezeNet, Tiny Darknet: published counts, and small images."""

import pytest
import torch

from nas.arch import cost
from nas.errors import InputError
from nas.net import Network
from search_spaces.alexnet import alexnet
from search_spaces.lenet import lenet5
from search_spaces.nin import network_in_network
from search_spaces.squeezenet import squeezenet
from search_spaces.tiny_darknet import tiny_darknet
from search_spaces.vgg import vgg16


@pytest.mark.parametrize(
    ("network", "params", "macs"),
    [
        (lenet5, 61_706, 416_520),  # Dive into deep learning, section 7.6
        (alexnet, 61_100_840, 714_188_480),  # torchvision
        (vgg16, 138_357_544, 15_470_264_320),  # torchvision
    ],
)
def test_exact_counts(network, params, macs):
    found = cost(network())
    assert (found.params, found.macs) == (params, macs)


@pytest.mark.parametrize(("network", "megabytes"), [(network_in_network, 29), (tiny_darknet, 4.0)])
def test_weights_take_the_published_space(network, megabytes):
    """The authors' files of weights: 29 MB (Caffe model zoo), 4.0 MB (pjreddie.com), in units of 2^20 bytes."""
    assert cost(network()).params * 4 / 2**20 == pytest.approx(megabytes, rel=0.01)


def test_tiny_darknet_computes_the_published_operations():
    assert 2 * cost(tiny_darknet()).macs / 1e9 == pytest.approx(0.98, rel=0.01)


@pytest.mark.parametrize(
    ("network", "size_px"), [(squeezenet, 32), (tiny_darknet, 32), (network_in_network, 67), (lenet5, 12)]
)
def test_networks_run_on_small_images_and_give_a_row_of_logits_an_image(network, size_px):
    arch = network(size_px=size_px, image_channels=1, classes=3)
    assert Network(arch).eval()(torch.randn(2, 1, size_px, size_px)).shape == (2, 3)


@pytest.mark.parametrize("network", [lenet5, alexnet, vgg16, network_in_network, tiny_darknet, squeezenet])
def test_too_small_images_are_refused(network):
    with pytest.raises(InputError):
        network(size_px=4)


def test_unknown_versions_of_squeezenet_are_refused():
    with pytest.raises(InputError, match=r"version = '2\.0'"):
        squeezenet(version="2.0")
