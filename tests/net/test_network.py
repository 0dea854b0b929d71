"""Networks and supernets: equal outputs, honest costs, folding, gradients."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given as cases
from hypothesis import settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from nas.arch import Arch, Kind, cost
from nas.errors import InputError
from nas.net import Collector, Network, Supernet, batch_statistics, fold, given, run, slice_network
from nas.space import largest, smallest, uniform
from tests.net.zoo import SPACE, every_kind


def images(arch: Arch, n: int = 4, seed: int = 0) -> torch.Tensor:
    channels = arch.widths["image"]
    return torch.randn(n, channels, arch.size_px, arch.size_px, generator=torch.Generator().manual_seed(seed))


def lively(arch: Arch) -> Supernet:
    """A supernet in which no gamma is zero and no beta is."""
    supernet = Supernet(arch, seed=3)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, parameter in supernet.named_parameters():
            if not name.endswith("weight"):
                parameter.uniform_(0.2, 1.2, generator=generator)
    return supernet


@torch.no_grad()
def collected(supernet: Supernet, arch: Arch) -> Collector:
    collector = Collector()
    for seed in (1, 2):
        supernet(images(arch, seed=seed), arch, collector)
    return collector


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_sliced_network_equals_supernet_exactly_and_counts_like_torch(memory_format: torch.memory_format) -> None:
    rng, supernet = random.Random(0), lively(SPACE.build(largest))
    for _ in range(50):
        arch = SPACE.build(uniform(rng))
        stats = collected(supernet, arch).stats()
        network = slice_network(supernet, arch, stats)
        x = images(arch).contiguous(memory_format=memory_format)
        with torch.no_grad():
            assert torch.equal(supernet(x, arch, given(stats)), network(x))
            with FlopCounterMode(display=False) as counter:
                network(x[:1])
        assert counter.get_total_flops() == 2 * cost(arch).macs
        assert sum(parameter.numel() for parameter in network.parameters()) == cost(arch).params


def test_every_kind_of_op_slices_exactly_and_counts_like_torch() -> None:
    parent, child = every_kind(), every_kind(half=4, mid=8, squeeze=2)
    assert {layer.kind for layer in parent.layers} == set(Kind)
    supernet = lively(parent)
    for arch in (parent, child):
        stats = collected(supernet, arch).stats()
        network, x = slice_network(supernet, arch, stats), images(arch)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            assert torch.equal(supernet(x, arch, given(stats)), network(x))
        assert counter.get_total_flops() == 2 * 2 * len(x) * cost(arch).macs


def test_gradients_reach_the_slices_and_nothing_else() -> None:
    supernet, arch = lively(SPACE.build(largest)), SPACE.build(smallest)
    supernet(images(arch), arch, batch_statistics).square().sum().backward()
    weight = supernet.get_parameter("s0.b0.depthwise.weight")
    assert weight.grad is not None
    assert weight.grad[:8, :, 2:5, 2:5].abs().min() > 0  # the centre of the leading channels
    assert weight.grad[8:].abs().max() == 0
    assert weight.grad[:, :, 0].abs().max() == 0
    assert supernet.get_parameter("s1.b2.project.weight").grad is None


@settings(max_examples=20, deadline=None)
@cases(st.lists(st.integers(2, 9), min_size=1, max_size=4), st.integers(0, 99))
def test_collected_statistics_do_not_depend_on_the_batches(sizes: list[int], seed: int) -> None:
    x = torch.randn(sum(sizes), 3, 2, 2, generator=torch.Generator().manual_seed(seed)) * 5 + 100
    collector = Collector()
    for part in x.split(sizes):
        collector("layer", part, torch.ones(3), torch.zeros(3))
    mean, var = collector.stats()["layer"]
    torch.testing.assert_close(mean, x.mean((0, 2, 3)))
    torch.testing.assert_close(var, x.var((0, 2, 3), correction=0), rtol=1e-3, atol=1e-3)


def test_a_fresh_residual_block_is_the_identity_and_depth_stays_trainable() -> None:
    deep = SPACE.build(largest)
    zero = {name for name, tensor in Supernet(deep).named_parameters() if name.endswith("gamma") and not tensor.any()}
    assert zero == {f"{block}.project.gamma" for block in ("s0.b0", "s0.b1", "s1.b1", "s1.b2")} - {
        "s0.b0.project.gamma"
    }
    shallow = SPACE.build(smallest)
    with torch.no_grad():
        assert Supernet(deep)(images(shallow), shallow, batch_statistics).std(dim=0).min() > 0


@pytest.mark.parametrize("arch", [SPACE.build(uniform(random.Random(7))), every_kind()], ids=["space", "every kind"])
def test_folded_weights_compute_the_same(arch: Arch) -> None:
    supernet = lively(arch)
    network = slice_network(supernet, arch, collected(supernet, arch).stats())
    weights = fold(network)
    assert all(value.dtype == np.float32 and value.flags.c_contiguous for value in weights.values())
    tensors = {name: torch.from_numpy(value) for name, value in weights.items()}
    for layer in arch.layers:  # the folded weights as a network whose batch norms only shift or scale
        for key, folded in (("gamma", "scale"), ("beta", "shift" if layer.kind is Kind.NORM else "bias")):
            if f"{layer.name}.{folded}" in tensors:
                tensors[f"{layer.name}.{key}"] = tensors[f"{layer.name}.{folded}"]
    x = images(arch)

    def affine(name: str, y: torch.Tensor, _gamma: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
        scale = tensors.get(f"{name}.scale", torch.ones_like(beta))
        return y * scale[:, None, None] + beta[:, None, None]

    names = {layer.name for layer in arch.layers}
    tensors |= {f"{name}.gamma": torch.ones(1) for name in names if f"{name}.gamma" not in tensors}
    with torch.no_grad():
        torch.testing.assert_close(run(arch, tensors, x, affine), network(x), rtol=1e-4, atol=1e-5)


def test_training_mode_follows_batch_statistics() -> None:
    arch = every_kind()
    network = Network(arch).train()
    before = network.tensors()["stem.mean"].clone()
    network(images(arch))
    assert not torch.equal(before, network.tensors()["stem.mean"])
    assert set(network.state_dict()) == set(network.tensors())


def test_a_network_that_does_not_fit_is_refused_by_name() -> None:
    small = Supernet(SPACE.build(smallest))
    with pytest.raises(InputError, match=r"s0\.b0|stem"):
        small(images(small.arch), SPACE.build(largest), batch_statistics)
