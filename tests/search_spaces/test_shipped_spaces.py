"""Spaces of MobileNetV2, MnasNet, EfficientNet (configurations of MobileNetV3's) and GhostNet, as shipped."""

import random
from pathlib import Path

import pytest
import torch
import yaml

from nas.arch import Act, Arch, Kind
from nas.convert import build
from nas.net import Network, network_of, slice_weights
from nas.space import SearchSpace, largest, record, uniform
from search_spaces.ghostnet_space import GhostNetSpace
from search_spaces.mobilenet_v3 import MobileNetV3Space

CONFIGS = Path(__file__).parents[2] / "configs" / "space"
KINDS = {"mobilenet_v3": MobileNetV3Space, "ghostnet": GhostNetSpace}
SHIPPED = ("mobilenet_v2_28px", "mnasnet_28px", "efficientnet_28px", "ghostnet_28px")


def shipped(name: str) -> SearchSpace:
    text = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    config = yaml.safe_load(text)
    return build(KINDS[config.pop("kind")], config, given={"image_channels": 1, "classes": 10})


def acts(arch: Arch) -> set[Act]:
    return {op.act for op in arch.ops()} - {Act.IDENTITY}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_largest_network_holds_every_member(name):
    space = shipped(name)
    whole = record(space, largest)[0]
    tensors = Network(whole).tensors()
    for seed in range(8):
        member = record(space, uniform(random.Random(seed)))[0]
        network = network_of(member, slice_weights(whole, tensors, member)).eval()
        assert network(torch.rand(1, 1, 28, 28)).shape == (1, 10)


def test_activations_and_squeeze_excite_are_the_families_own():
    v2, mnasnet, efficient = (record(shipped(name), largest)[0] for name in SHIPPED[:3])
    assert acts(v2) == {Act.RELU6}
    assert Kind.SE not in {layer.kind for layer in v2.layers}
    assert acts(mnasnet) == {Act.RELU}
    assert acts(efficient) == {Act.SWISH}
    for arch in (mnasnet, efficient):
        gated = [op for op in arch.ops() if op.kind is Kind.SE]
        assert {op.gate for op in gated} == {Act.SIGMOID}
        assert gated[0].squeeze == arch.widths["stem"] // 4
