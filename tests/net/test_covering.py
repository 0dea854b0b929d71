"""A supernet of a space that chooses between layers: the tensors of several networks under one roof."""

import random

import pytest
import torch

from nas.arch import IMAGE, Act, Arch, Builder
from nas.errors import InputError
from nas.net import Supernet, batch_statistics, given, slice_network
from nas.net.covering import covering
from nas.space import Choose, uniform
from nas.training import recalibrate
from tests.net.zoo import SPACE


class Either:
    """A dense or a depthwise convolution of 4 or 6 channels; `linked` adds a layer that needs both choices."""

    name = "either"

    def __init__(self, *, linked: bool = False) -> None:
        self.linked = linked

    def build(self, choose: Choose) -> Arch:
        net = Builder(size_px=8, image_channels=2)
        width = net.width("stem", int(choose("width", (4, 6))))
        x = net.conv("stem", IMAGE, width, kernel=3, act=Act.RELU)
        kind = choose("kind", ("depthwise", "dense"))
        if kind == "dense":
            x = net.conv("dense", x, net.width("dense", 5), kernel=int(choose("kernel", (1, 3))))
        else:
            x = net.depthwise("depthwise", x, kernel=3)
        if self.linked and kind == "depthwise" and net.channels(width) == 4:
            x = net.conv("both", x, width)
        return net.classify(net.pool("pool", x), classes=3)


def test_one_network_covers_a_space_without_alternatives() -> None:
    assert len(covering(SPACE)) == 1


def test_a_supernet_has_the_layers_of_all_alternatives_at_their_widest() -> None:
    supernet = Supernet.of(Either(), seed=4)
    shapes = {name: tuple(tensor.shape) for name, tensor in supernet.tensors().items()}
    assert shapes["dense.weight"] == (5, 6, 3, 3)
    assert shapes["depthwise.weight"] == (6, 1, 3, 3)
    assert shapes["classifier.weight"] == (3, 6)  # as wide as the wider of the two that read it
    again = Supernet.of(Either(), seed=4).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in supernet.state_dict().items())


def test_members_compute_with_slices_of_their_own_layers() -> None:
    supernet, rng = Supernet.of(Either()), random.Random(0)
    for _ in range(12):
        arch = Either().build(uniform(rng))
        x = torch.randn(4, 2, 8, 8)
        stats = recalibrate(supernet, arch, x)
        with torch.no_grad():
            assert torch.equal(supernet(x, arch, given(stats)), slice_network(supernet, arch, stats)(x))


def test_gradients_reach_the_alternative_that_computes() -> None:
    supernet = Supernet.of(Either())
    supernet(torch.randn(4, 2, 8, 8), supernet.archs[-1], batch_statistics).square().sum().backward()
    reached = {name for name, tensor in supernet.named_parameters() if tensor.grad is not None and tensor.grad.any()}
    assert "depthwise.weight" in reached
    assert "dense.weight" not in reached


def test_a_layer_that_two_options_make_together_is_named() -> None:
    supernet = Supernet.of(Either(linked=True))
    arch = Either(linked=True).build(lambda _name, options: options[0])
    with pytest.raises(InputError, match="no layer 'both'"):
        supernet.tensors_of(arch)
