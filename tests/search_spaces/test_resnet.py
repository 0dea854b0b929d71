"""Residual networks: the published sizes, and what tells the kinds of block apart."""

from __future__ import annotations

import pytest

from nas.arch import Act, Kind, cost
from nas.errors import InputError
from nas.netadapt.moves import shrink
from search_spaces.resnet import MEMBERS


@pytest.mark.parametrize(
    ("name", "params", "gmacs"),
    [
        ("wide_resnet50_2", 68_883_240, 11.40),  # torchvision
        ("wide_resnet28_10", 36_479_194, 5.24),  # arXiv 1605.07146: 36.5 M; its first author's code
    ],
)
def test_published_costs(name, params, gmacs):
    found = cost(MEMBERS[name]())
    assert found.params == params
    assert found.macs / 1e9 == pytest.approx(gmacs, rel=0.01)


@pytest.mark.parametrize(("name", "sums"), [("resnet18", 8), ("resnet50", 16), ("wide_resnet28_10", 12)])
def test_every_block_ends_in_a_sum(name, sums):
    assert sum(op.kind is Kind.ADD for op in MEMBERS[name](size_px=32).ops()) == sums


def test_a_sum_is_followed_by_relu_unless_the_norm_comes_first():
    acts = {name: {op.act for op in MEMBERS[name](size_px=32).ops() if op.kind is Kind.ADD} for name in MEMBERS}
    assert acts.pop("wide_resnet28_10") == {Act.IDENTITY}
    assert set(map(frozenset, acts.values())) == {frozenset({Act.RELU})}


def test_groups_must_still_divide_a_narrower_width():
    arch = MEMBERS["resnext50_32x4d"](size_px=32, classes=10)
    narrower = shrink(arch, shrink(arch, arch, "s1.b1.reduce", 128, grain=32), "s1.b1.conv", 192, grain=32)
    assert cost(narrower).params < cost(arch).params
    with pytest.raises(InputError, match="in 32 groups"):
        shrink(arch, arch, "s1.b1.conv", 200, grain=8)


@pytest.mark.parametrize(("name", "total_stride", "out_px"), [("resnet18", 8, 4), ("wide_resnet28_10", 2, 16)])
def test_small_images_keep_their_size_longer(name, total_stride, out_px):
    ops = MEMBERS[name](size_px=32, total_stride=total_stride).ops()
    assert [op.in_px for op in ops if op.kind is Kind.GLOBAL_POOL] == [out_px]
    assert cost(MEMBERS[name](size_px=32)).params == cost(MEMBERS[name](size_px=32, total_stride=total_stride)).params


def test_images_too_small_are_refused():
    with pytest.raises(InputError, match="too small"):
        MEMBERS["resnet18"](size_px=16)


def test_channels_and_classes_are_the_datas():
    arch = MEMBERS["resnet18"](size_px=28, image_channels=1, classes=7)
    assert (arch.ops()[0].in_channels, arch.classes) == (1, 7)
