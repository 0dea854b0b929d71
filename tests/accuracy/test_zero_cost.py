"""Zero-cost scores against values worked out by hand on networks of two layers, and what each must not depend on."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from torch.nn import functional

from nas.accuracy import PROXIES, ProxyEvaluator, inputs
from nas.accuracy.zero_cost import fresh, grad_norm, macs, naswot, params, synflow, zico
from nas.arch import CLASSES, IMAGE, Act, Arch, Kind, Layer, cost
from nas.errors import InputError
from nas.net import Network
from nas.space import largest, smallest, uniform
from tests.net.zoo import SPACE

SMALL, LARGE = SPACE.build(smallest), SPACE.build(largest)


def network(*, act: Act = Act.RELU, norm: bool = False) -> Network:
    """One pixel -> 1x1 convolution to two channels -> linear layer to two classes."""
    layers = (
        Layer(name="conv", kind=Kind.CONV, inputs=(IMAGE,), width="mid", kernel=(1, 1), norm=norm, act=act),
        Layer(name="out", kind=Kind.LINEAR, inputs=("conv",), width=CLASSES),
    )
    made = Network(Arch(layers=layers, widths={IMAGE: 1, "mid": 2, CLASSES: 2}, size_px=1))
    with torch.no_grad():
        made.get_parameter("conv.weight").copy_(torch.tensor([2.0, -3.0]).view(2, 1, 1, 1))
        made.get_parameter("out.weight").copy_(torch.tensor([[1.0, -4.0], [5.0, 6.0]]))
    return made


def pixels(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1)


def test_size_is_that_of_the_cost_model() -> None:
    assert (macs(network()), params(network())) == (2 + 4, 2 + 2 + 4 + 2)
    assert macs(Network(SMALL)) == cost(SMALL).macs


def test_synflow_of_two_layers() -> None:
    # R = 2 (1 + 5) + 3 (4 + 6) = 42, and each of the two layers carries all of it; biases are zero.
    assert synflow(network()) == pytest.approx(math.log(2 * 42))


def test_synflow_counts_biases_and_ignores_signs() -> None:
    changed = network()
    with torch.no_grad():
        changed.get_parameter("out.bias").copy_(torch.tensor([0.0, -7.0]))
        changed.get_parameter("conv.weight").neg_()
    assert synflow(changed) == pytest.approx(math.log(2 * 42 + 7))


def test_synflow_of_a_network_that_nothing_flows_through() -> None:
    dead = network()
    with torch.no_grad():
        dead.get_parameter("out.weight").zero_()
    assert synflow(dead) == -math.inf


def test_naswot_of_three_images() -> None:
    # Normalised, the pixels are below, below and above zero; channel 1's weight is negative, so its bits are turned.
    # Images 1 and 2 agree in both activations, image 3 with them in none: K = [[2, 2, 0], [2, 2, 0], [0, 0, 2]].
    made = network(norm=True)
    assert naswot(made, pixels(-1.0, -1.1, 3.0)) == -math.inf
    # Of two that differ in everything: K = [[2, 0], [0, 2]].
    assert naswot(made, pixels(-1.0, 1.0)) == pytest.approx(math.log(4))
    with torch.no_grad():
        made.tensors()["conv.beta"][1] = 100.0  # always on: K = [[2, 1], [1, 2]]
    assert naswot(made, pixels(-1.0, 1.0)) == pytest.approx(math.log(3))


def test_naswot_counts_no_layer_without_an_activation() -> None:
    assert naswot(network(norm=True, act=Act.IDENTITY), pixels(-1.0, 1.0)) == -math.inf


def test_grad_norm_of_two_layers() -> None:
    # x = 1: hidden (2, 0), logits (2, 10); the gradient of the loss for class 1 is (p, -p) with p = softmax(2, 10)[0].
    p = 1 / (1 + math.exp(8))
    out = math.sqrt(2 * (2 * p) ** 2)  # d/d out.weight = (p, -p) x (2, 0)
    conv = p * 1 - p * 5  # d/d conv.weight = (out.weight^T (p, -p)) where the activation is on: channel 0
    found = grad_norm(network(), pixels(1.0), torch.tensor([1]))
    assert found == pytest.approx(out + abs(conv), rel=1e-4)


def test_zico_of_two_batches() -> None:
    made, x, y = network(), pixels(1.0, 2.0), torch.tensor([1, 0])
    total = 0.0
    for name in ("conv.weight", "out.weight"):
        sizes = []
        for i in range(2):
            loss = functional.cross_entropy(made(x[i : i + 1]), y[i : i + 1])
            (gradient,) = torch.autograd.grad(loss, made.get_parameter(name))
            sizes.append(np.abs(gradient.double().numpy()).ravel())
        mean, sd = np.mean(sizes, axis=0), np.std(sizes, axis=0)
        total += math.log((mean[sd > 0] / sd[sd > 0]).sum())
    assert zico(made, x, y, batches=2) == pytest.approx(total, rel=1e-6)


def test_zico_leaves_out_weights_whose_gradient_does_not_vary() -> None:
    assert zico(network(), pixels(1.0, 1.0), torch.tensor([1, 1]), batches=2) == 0.0


@pytest.mark.parametrize("batches", [1, 3])
def test_zico_needs_batches(batches: int) -> None:
    with pytest.raises(InputError, match=f"{batches} of 2 images"):
        zico(network(), pixels(1.0, 2.0), torch.tensor([0, 1]), batches=batches)


def test_residual_branches_are_open() -> None:
    closed = {name for name, tensor in Network(LARGE).tensors().items() if name.endswith("gamma") and not tensor.any()}
    assert closed
    assert all(tensor.eq(1).all() for name, tensor in fresh(LARGE, seed=0).tensors().items() if name.endswith("gamma"))


@pytest.mark.parametrize("name", PROXIES)
class TestEveryProxy:
    def test_gives_a_number_that_seed_and_images_decide(self, data, name: str) -> None:
        arch = SPACE.build(uniform(random.Random(1)))
        score = ProxyEvaluator(name, data, images=16)(arch)
        assert math.isfinite(score)
        assert score == ProxyEvaluator(name, data, images=16)(arch)

    def test_leaves_the_network_as_it_is(self, data, name: str) -> None:
        made = fresh(SMALL, seed=0)
        before = {key: tensor.detach().clone() for key, tensor in made.tensors().items()}
        images = inputs.calibration_images(data, images=16, seed=0, device="cpu")
        PROXIES[name](made, images.whole(16), images.labels)
        assert all(torch.equal(tensor, before[key]) for key, tensor in made.tensors().items())
        assert all(parameter.grad is None for parameter in made.parameters())

    def test_is_kept(self, data, tmp_path, name: str) -> None:
        one = ProxyEvaluator(name, data, images=16, folder=tmp_path)
        scores = one.scores([SMALL, LARGE, SMALL])
        assert ProxyEvaluator(name, data, images=16, folder=tmp_path).seen() == scores[:2] == one.seen()
        assert one.standard_error(scores[0]) is None


def test_an_unknown_proxy(data) -> None:
    with pytest.raises(
        InputError, match=r"unknown score 'synflw' \(did you mean 'synflow'\?\); known: synflow, naswot"
    ):
        ProxyEvaluator("synflw", data)
