"""A trimmed network against the original whose dropped channels are set to zero wherever they appear."""

from __future__ import annotations

import random
from functools import partial

import pytest
import torch

from nas.arch import CLASSES, IMAGE, Kind
from nas.errors import InputError
from nas.net import Network
from nas.netadapt import narrow, strongest, trimmable
from search_spaces.catalogue import NETWORKS

from .conftest import randomise

MAKE = {
    "mobilenet_v2": partial(NETWORKS["mobilenet_v2"], width=0.5),
    "mobilenet_v3_small": NETWORKS["mobilenet_v3_small"],
    "efficientnet_b0": NETWORKS["efficientnet_b0"],
    "ghostnet": partial(NETWORKS["ghostnet"], width=0.5),
    "squeezenet": NETWORKS["squeezenet_1.1"],
    "shufflenet_v2": partial(NETWORKS["shufflenet_v2"], width=0.5),
    "resnet18": NETWORKS["resnet18"],
    "pp_lcnet": partial(NETWORKS["pp_lcnet"], width=0.5),
}
CASES = [(name, seed) for seed in range(7) for name in MAKE][:50]


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_equals_the_masked_original(name, seed):
    rng = random.Random(f"{name} {seed}")
    network = randomise(Network(MAKE[name](size_px=32, classes=5)), seed).double()
    child, weights = _trimmed(network.arch, rng)
    keep = {width: strongest(own, child.widths[width]) for width, own in weights.items()}
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    trimmed = narrow(network, child, weights).double()
    with torch.no_grad():
        found, expected = trimmed(x), _masked(network, keep, x)
    assert child != network.arch
    assert (found - expected).abs().max() <= 1e-5 * max(1.0, expected.abs().max())


def _trimmed(arch, rng):
    """A few widths narrowed at random, and what makes the choice of their channels random too."""
    child, left = arch, 3
    while left:
        width = rng.choice(trimmable(arch))
        try:  # sums and groups forbid some
            child = child.with_widths({width: rng.randint(1, arch.widths[width] - 1)})
            left -= 1
        except InputError:
            continue
    generator = torch.Generator().manual_seed(rng.randrange(1000))
    changed = [width for width, channels in child.widths.items() if channels < arch.widths[width]]
    return child, {width: torch.rand(arch.widths[width], generator=generator) for width in changed}


def _masked(network, keep, x):
    """Logits when every value of a dropped channel is zero; what makes and moves channels tells which those are."""
    masks = {IMAGE: torch.ones(network.arch.widths[IMAGE])}
    layers = dict(zip((layer.name for layer in network.arch.layers), network.arch.layers, strict=True))
    ops = dict(zip(layers, network.arch.ops(), strict=True))
    tensors = network.tensors()

    def watch(name, value):
        layer, op = layers[name], ops[name]
        inputs = [masks[source] for source in layer.inputs]
        masks[name] = _mask(layer, op, inputs, keep)
        if layer.width != CLASSES:
            value.mul_(masks[name].view(1, -1, *(1,) * (value.dim() - 2)))

    for name, layer in layers.items():
        if layer.kind is Kind.SE and layer.squeeze in keep:
            gone = torch.ones(ops[name].squeeze, dtype=torch.bool)
            gone[keep[layer.squeeze]] = False
            tensors[f"{name}.down.weight"][gone] = 0
            tensors[f"{name}.down.bias"][gone] = 0
    return network(x, watch=watch)


def _mask(layer, op, inputs, keep):
    if op.kind is Kind.CONCAT:
        return torch.cat(inputs)
    if op.kind is Kind.SLICE:
        return inputs[0][op.begin : op.begin + op.out_channels]
    if op.kind is Kind.SHUFFLE:
        return inputs[0].view(op.groups, -1).t().flatten()
    if op.kind is Kind.LINEAR or (op.kind is Kind.CONV and not layer.depthwise):
        mask = torch.ones(op.out_channels)
        if layer.width in keep:
            mask.zero_()[keep[layer.width]] = 1
        return mask
    return inputs[0]
