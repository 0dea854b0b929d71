"""Kept channels: a network with the other channels silenced computes what the sliced network computes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nas.arch import CLASSES, IMAGE, Act, Arch, Kind, Layer
from nas.errors import InputError
from nas.net import Network, given, network_of, run, slice_weights


def shuffled(first: int, second: int, mid: int) -> Arch:
    """Two branches, concatenated, shuffled, normalised, convolved, and flattened by the classifier."""
    layers = (
        Layer(name="a", kind=Kind.CONV, inputs=(IMAGE,), width="a", act=Act.RELU),
        Layer(name="b", kind=Kind.CONV, inputs=(IMAGE,), width="b", act=Act.RELU),
        Layer(name="cat", kind=Kind.CONCAT, inputs=("a", "b")),
        Layer(name="shuffle", kind=Kind.SHUFFLE, inputs=("cat",), groups=2),
        Layer(name="norm", kind=Kind.NORM, inputs=("shuffle",)),
        Layer(name="mid", kind=Kind.CONV, inputs=("norm",), width="mid", kernel=(3, 3), act=Act.RELU),
        Layer(name="depthwise", kind=Kind.CONV, inputs=("mid",), kernel=(3, 3), depthwise=True, act=Act.RELU),
        Layer(name="se", kind=Kind.SE, inputs=("depthwise",), squeeze="squeeze", act=Act.RELU, gate=Act.SIGMOID),
        Layer(name="classifier", kind=Kind.LINEAR, inputs=("se",), width=CLASSES),
    )
    return Arch(
        layers=layers, widths={IMAGE: 2, "a": first, "b": second, "mid": mid, "squeeze": 3, CLASSES: 4}, size_px=4
    )


def silence(tensors: dict[str, Tensor], layer: str, kept: Tensor) -> None:
    """Make a convolution's other channels zero after their batch norm."""
    for key in ("gamma", "beta"):
        mask = torch.zeros_like(tensors[f"{layer}.{key}"])
        mask[kept] = 1
        tensors[f"{layer}.{key}"] = tensors[f"{layer}.{key}"] * mask


def test_dropping_silent_channels_changes_nothing_behind_concat_shuffle_and_flattening() -> None:
    parent, child = shuffled(6, 4, 8), shuffled(4, 4, 5)
    generator = torch.Generator().manual_seed(0)
    tensors = {name: torch.rand(t.shape, generator=generator) for name, t in Network(parent).tensors().items()}
    keep = {"a": torch.tensor([1, 2, 4, 5]), "mid": torch.tensor([0, 3, 4, 6, 7])}
    for name in ("mid", "depthwise"):
        silence(tensors, name, keep["mid"])
    silence(tensors, "a", keep["a"])
    tensors["norm.beta"] *= 0
    tensors["norm.mean"] *= 0
    tensors["a.gamma"] *= 1
    sliced = network_of(child, slice_weights(parent, tensors, child, keep)).eval()
    x = torch.rand(3, 2, 4, 4, generator=generator)
    stats = {
        layer: (tensors[f"{layer}.mean"], tensors[f"{layer}.var"]) for layer in ("a", "b", "norm", "mid", "depthwise")
    }
    with torch.no_grad():
        torch.testing.assert_close(sliced(x), run(parent, tensors, x, given(stats)))


def test_grouped_convolution_keeps_its_groups_channels() -> None:
    def grouped(width: int) -> Arch:
        layers = (
            Layer(name="stem", kind=Kind.CONV, inputs=(IMAGE,), width="w"),
            Layer(name="grouped", kind=Kind.CONV, inputs=("stem",), width="out", groups=2, norm=False),
        )
        return Arch(layers=layers, widths={IMAGE: 1, "w": width, "out": 4}, size_px=1)

    weight = torch.arange(16.0).view(4, 4, 1, 1)
    keep = {"w": torch.tensor([1, 3, 4, 6])}
    sliced = slice_weights(grouped(8), {"grouped.weight": weight}, grouped(4), keep)["grouped.weight"]
    assert sliced.flatten(1).tolist() == [[1, 3], [5, 7], [8, 10], [12, 14]]


def test_a_wrong_number_of_kept_channels_is_refused() -> None:
    with pytest.raises(InputError, match="width 'a': 2 channels kept for 4"):
        slice_weights(shuffled(6, 4, 8), {}, shuffled(4, 4, 8), {"a": torch.tensor([0, 1])})
