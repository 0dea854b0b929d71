"""What other families need of the readings: layers without bias, pools' options, ends that are no linear layer."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from nas.arch import IMAGE, LEAKY_SLOPE, Act, Arch, Builder
from nas.errors import InputError
from nas.net import Network, batch_statistics, fold, run, slice_weights


def stem(size_px: int = 8, channels: int = 4) -> tuple[Builder, str]:
    net = Builder(size_px=size_px, image_channels=3)
    return net, net.conv("stem", IMAGE, net.width("w", channels), kernel=3, norm=False, bias=False)


def images(arch: Arch) -> torch.Tensor:
    shape = (2, arch.widths[IMAGE], arch.size_px, arch.size_px)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def outputs(arch: Arch) -> tuple[torch.Tensor, torch.Tensor]:
    """The stem's output and the network's."""
    network, seen = Network(arch).eval(), dict[str, torch.Tensor]()
    with torch.inference_mode():
        out = run(arch, network.tensors(), images(arch), batch_statistics, watch=seen.__setitem__)
    return seen["stem"], out


def test_a_convolution_may_have_neither_norm_nor_bias():
    net, _ = stem()
    network = Network(net.finish())
    assert set(network.tensors()) == {"stem.weight"}
    folded = fold(network)
    assert set(folded) == {"stem.weight", "stem.bias"}
    assert not folded["stem.bias"].any()


def test_a_smaller_network_takes_what_it_has():
    net, x = stem()
    net.linear("fc", x, net.width("out", 6), bias=False)
    arch = net.finish()
    sliced = slice_weights(arch, Network(arch).tensors(), arch.with_widths({"w": 2, "out": 5}))
    assert {name: tuple(tensor.shape) for name, tensor in sliced.items()} == {
        "stem.weight": (2, 3, 3, 3),
        "fc.weight": (5, 2 * 64),
    }


def test_a_norm_cannot_be_had_from_a_layer_that_has_a_bias():
    plain, normed = stem()[0], Builder(size_px=8, image_channels=3)
    normed.conv("stem", IMAGE, normed.width("w", 4), kernel=3)
    parent = plain.finish()
    with pytest.raises(InputError, match="'stem' does not fit"):
        slice_weights(parent, Network(parent).tensors(), normed.finish())


@pytest.mark.parametrize("size_px", [6, 7, 8, 9])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 0), (2, 2, 0), (3, 2, 1), (3, 4, 1)])
def test_max_pools_past_the_end_are_torchs(size_px, kernel, stride, padding):
    net, x = stem(size_px)
    net.max_pool("pool", x, kernel=kernel, stride=stride, padding=padding, ceil=True)
    arch = net.finish()
    before, after = outputs(arch)
    assert torch.equal(after, functional.max_pool2d(before, kernel, stride, padding, ceil_mode=True))
    assert after.shape[-1] == arch.ops()[-1].out_px


@pytest.mark.parametrize("counts", [True, False])
def test_average_pools_count_padding_when_told(counts):
    net, x = stem()
    net.avg_pool("pool", x, kernel=3, counts_padding=counts)
    before, after = outputs(net.finish())
    assert torch.equal(after, functional.avg_pool2d(before, 3, 1, 1, count_include_pad=counts))


@pytest.mark.parametrize(
    ("act", "function"),
    [(Act.TANH, torch.tanh), (Act.LEAKY_RELU, lambda x: torch.where(x > 0, x, LEAKY_SLOPE * x))],
)
def test_activations_of_older_networks(act, function):
    net, x = stem()
    net.act("act", x, act)
    before, after = outputs(net.finish())
    assert torch.allclose(after, function(before))


def test_a_network_that_ends_in_a_global_pool_gives_logits():
    net, x = stem()
    net.pool("pool", x)
    before, after = outputs(net.finish())
    assert torch.allclose(after, before.mean(dim=(2, 3)))


def test_who_watches_sees_every_layer_with_its_activation():
    net, x = stem()
    net.classify(net.pool("pool", net.norm("norm", x, act=Act.RELU)), classes=3)
    arch, seen = net.finish(), dict[str, torch.Tensor]()
    out = run(arch, Network(arch).tensors(), images(arch), batch_statistics, watch=seen.__setitem__)
    assert list(seen) == [layer.name for layer in arch.layers]
    assert seen["norm"].min() == 0
    assert seen["classifier"] is out


def test_the_deeper_input_of_a_sum_is_the_branch():
    net = Builder(size_px=8, image_channels=3)
    net.width("w", 4)
    net.conv("deep", net.conv("first", IMAGE, "w"), "w", kernel=3)
    net.residual("sum", "deep", net.conv("shortcut", IMAGE, "w"))
    tensors = Network(net.finish()).tensors()
    assert not tensors["deep.gamma"].any()
    assert tensors["shortcut.gamma"].all()
