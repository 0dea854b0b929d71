"""DenseNet: what each layer reads, and that it stays a network when a layer adds less."""

from __future__ import annotations

from nas.arch import Kind, cost
from search_spaces.densenet import MEMBERS, densenet

densenet121 = MEMBERS["densenet121"]


def test_every_layer_reads_all_before_it_in_its_block():
    arch = densenet((3, 2), 8, size_px=32, classes=10)
    read = [op.in_channels for layer, op in zip(arch.layers, arch.ops(), strict=True) if layer.kind is Kind.NORM]
    assert read == [64, 72, 80, 88, 44, 52, 60]


def test_convolutions_behind_a_norm_have_neither_norm_nor_bias():
    arch = densenet121(size_px=32, classes=10)
    plain = [layer.name for layer in arch.layers if layer.kind is Kind.CONV and not layer.norm]
    assert len(plain) == 58 + 3  # the second of each layer, and each transition's
    assert not any(layer.bias for layer in arch.layers if layer.name in plain)


def test_a_layer_that_adds_less_narrows_all_behind_it():
    arch = densenet121(size_px=32, classes=10)
    narrower = arch.with_widths({"d0.l0.conv": 16})
    assert cost(narrower).params < cost(arch).params - 16 * 128 * 9
    assert {op.kind for op in narrower.ops()} == {op.kind for op in arch.ops()}
