from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional

from nas.arch import IMAGE, Kind
from nas.netadapt import Weighing, importance, narrow, shrink, strongest, trimmable, weigher


def masked(network, keep):
    """Zero every value of the dropped channels where they are made: they then carry nothing to anyone."""
    flow = {IMAGE: IMAGE}
    with torch.no_grad():
        for layer in network.arch.layers:
            flow[layer.name] = layer.width or flow[layer.inputs[0]]
            is_squeeze = layer.kind is Kind.SE
            width = layer.squeeze if is_squeeze else flow[layer.name]
            if width not in keep or layer.kind not in (Kind.CONV, Kind.LINEAR, Kind.SE):
                continue
            keys = ("down.weight", "down.bias") if is_squeeze else ("gamma", "beta", "bias")
            dropped = torch.ones(network.arch.widths[width], dtype=torch.bool)
            dropped[keep[width]] = False
            for name, tensor in network.tensors().items():
                if name in {f"{layer.name}.{key}" for key in keys}:
                    tensor[dropped] = 0
            if layer.kind is Kind.LINEAR:
                network.tensors()[f"{layer.name}.weight"][dropped] = 0
    return network


@pytest.mark.parametrize("width", ["stem", "s0", "s0.b0.mid", "s0.b1.mid", "s0.b2.mid", "head", "features"])
def test_a_trimmed_network_equals_the_original_with_the_dropped_channels_masked(network, width):
    weights = importance(network)
    child = shrink(network.arch, network.arch, width, 8, grain=8)
    trimmed = narrow(network, child, weights)
    keep = {
        name: strongest(weights[name], channels)
        for name, channels in child.widths.items()
        if channels < network.arch.widths[name]
    }
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        original, expected, found = network(x), None, trimmed(x)
        expected = masked(network, keep)(x)
    assert (found - expected).abs().max() <= 1e-5
    assert (found - original).abs().max() > 1e-3


def test_the_strongest_filters_are_kept_in_order(network):
    weights = importance(network)
    assert set(weights) == {*trimmable(network.arch), "s0.b0.squeeze", "s0.b2.squeeze", "classes"}
    kept = strongest(weights["head"], 16)
    assert kept.tolist() == sorted(kept.tolist())
    others = [i for i in range(64) if i not in kept.tolist()]
    assert weights["head"][kept].min() >= weights["head"][others].max()


def test_importance_counts_every_layer_of_a_residual_group(network):
    before = importance(network)["s0"][3]
    with torch.no_grad():
        network.tensors()["s0.b2.project.weight"][3] *= 100
    assert importance(network)["s0"][3] > 10 * before


def test_importance_sees_the_batch_norm(network):
    with torch.no_grad():
        network.tensors()["head.gamma"][5] = 0
    assert importance(network)["head"][5] == 0


IMAGES = torch.randn(96, 1, 8, 8, generator=torch.Generator().manual_seed(3))
LABELS = torch.arange(96) % 5


@pytest.mark.parametrize("weighing", Weighing)
def test_every_way_weighs_every_width(network, weighing):
    weights = weigher(weighing, lambda _size_px: (IMAGES, LABELS))(network)
    for width, own in weights.items():
        assert own.shape == (network.arch.widths[width],)
        assert (own >= 0).all()
        assert own.std() > 0
    assert set(weights) == set(importance(network))


def test_batch_norm_scales_are_summed_over_a_residual_group(network):
    tensors = network.tensors()
    expected = sum(tensors[f"s0.b{i}.project.gamma"].abs() for i in range(3))
    assert torch.allclose(weigher(Weighing.BN_SCALE)(network)["s0"], expected)


def test_taylor_tells_what_the_loss_changes_by(network):
    """Against the loss with a channel scaled by 1 - 1e-3."""
    x, y, step = IMAGES[:64].double(), LABELS[:64], 1e-3
    network = network.double()
    found = weigher(Weighing.TAYLOR, lambda _size_px: (x, y))(network)["head"]
    before = functional.cross_entropy(network(x), y)
    for channel in range(0, 64, 16):
        other = copy.deepcopy(network)
        with torch.no_grad():
            for key in ("gamma", "beta"):
                other.tensors()[f"head.{key}"][channel] *= 1 - step
        change = (functional.cross_entropy(other(x), y) - before).abs() / step
        assert change.item() == pytest.approx(found[channel].item(), rel=0.02, abs=1e-6)


def test_weighing_leaves_the_network_as_it_is(network):
    before = {name: tensor.clone() for name, tensor in network.tensors().items()}
    for weighing in Weighing:
        weigher(weighing, lambda _size_px: (IMAGES, LABELS))(network.train())
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.tensors().items())
    assert all(parameter.grad is None for parameter in network.parameters())
