"""A supernet that starts from a trained network computes that network."""

from __future__ import annotations

import dataclasses
import random
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.arch import Arch, Layer
from nas.errors import InputError
from nas.net import Network, Supernet, slice_weights
from nas.pretrained import supernet_start
from nas.pretrained.start import _places
from nas.space import largest, record, uniform
from search_spaces.catalogue import NETWORKS
from search_spaces.mobilenet_v3 import MobileNetV3Space, StageSpace
from search_spaces.mobilenet_v3_designs import mobilenet_v3_large
from tests.net.zoo import SPACE, every_kind

LARGEST = SPACE.build(largest)


def lively(arch: Arch, seed: int) -> Network:
    network, generator = Network(arch), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
    return network


def renamed(arch: Arch) -> Arch:
    """The same network with its blocks called `block0`, `block1`, ... as a family of its own would."""
    blocks = dict.fromkeys(layer.name.rpartition(".")[0] for layer in arch.layers)
    numbers = {block: f"block{i}" for i, block in enumerate(block for block in blocks if block)}

    def name(old: str) -> str:
        block, dot, rest = old.rpartition(".")
        return f"{numbers.get(block, block)}{dot}{rest}"

    def changed(layer: Layer) -> Layer:
        return dataclasses.replace(layer, name=name(layer.name), inputs=tuple(map(name, layer.inputs)))

    return dataclasses.replace(arch, layers=tuple(map(changed, arch.layers)))


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.booleans())
def test_every_member_comes_back_out(seed: int, rename: bool) -> None:
    member, _ = record(SPACE, uniform(random.Random(seed)))
    network = lively(renamed(member) if rename else member, seed)
    start = supernet_start(LARGEST, network)
    assert {name: tensor.shape for name, tensor in start.items()} == {
        name: tensor.shape for name, tensor in Supernet(LARGEST).tensors().items()
    }
    sliced = slice_weights(LARGEST, start, member)
    trained = dict(zip(Network(member).tensors(), network.tensors().values(), strict=True))
    assert all(torch.equal(tensor, trained[name]) for name, tensor in sliced.items())


def test_what_the_supernet_has_less_of_keeps_its_leading_channels() -> None:
    network = lively(LARGEST, 0)
    small, _ = record(SPACE, uniform(random.Random(1)))
    start = supernet_start(small, network)
    assert all(
        torch.equal(start[name], tensor)
        for name, tensor in slice_weights(LARGEST, network.tensors(), small).items()
        if name in start
    )


def like(*rows: tuple[int, int, int], head: float, features: int) -> Arch:
    """The largest network of a space with stages of these widths, depths and strides."""
    space = MobileNetV3Space(
        name="like",
        image_channels=3,
        classes=1000,
        sizes_px=(224,),
        stem_widths=(32,),
        stem_stride=2,
        stages=tuple(StageSpace(widths=(width,), depths=(depth,), stride=stride) for width, depth, stride in rows),
        kernels=(3, 5, 7),
        expansions=(3.0, 6.0),
        se=(False, True),
        acts=("hswish", "swish"),
        head_expansions=(head,),
        feature_widths=(features,),
    )
    return space.build(largest)


def test_every_layer_of_mobilenet_v3_large_finds_its_place() -> None:
    rows = ((16, 1, 1), (24, 2, 2), (40, 3, 2), (80, 4, 2), (112, 2, 1), (160, 3, 2))
    trained = mobilenet_v3_large()
    places = _places(trained, like(*rows, head=6.0, features=1280))
    assert set(places) == {layer.name for layer in trained.layers} - {"b0.sum"}  # the space has none there
    assert len(set(places.values())) == len(places)
    assert places["b6.depthwise"] == "s3.b0.depthwise"
    assert places["b14.se"] == "s5.b2.se"
    assert places["features"] == "features"


def test_every_layer_of_efficientnet_b0_finds_its_place() -> None:
    rows = ((16, 1, 1), (24, 2, 2), (40, 3, 2), (80, 3, 2), (112, 4, 1), (192, 4, 2), (320, 1, 1))
    trained = NETWORKS["efficientnet_b0"]()
    places = _places(trained, like(*rows, head=4.0, features=0))
    assert set(places) == {layer.name for layer in trained.layers}
    assert len(set(places.values())) == len(places)


@pytest.mark.parametrize(
    ("trained", "says"),
    [
        (every_kind(), "layer 'left' of the trained network mixes or splits channels"),
        (dataclasses.replace(LARGEST, layers=LARGEST.layers[:4]), "the trained network has 1 stages, the supernet 2"),
    ],
)
def test_networks_of_another_kind_are_refused(trained: Arch, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        supernet_start(LARGEST, Network(trained))
