"""Xception: separable convolutions with nothing between their parts, and shortcuts that see no ReLU."""

from __future__ import annotations

from nas.arch import Kind
from nas.net import Network
from search_spaces.xception import xception


def small():
    return xception(size_px=48, classes=10)


def test_nothing_stands_between_depthwise_and_pointwise():
    layers = {layer.name: layer for layer in small().layers}
    depthwise = [layer for layer in layers.values() if layer.depthwise]
    assert len(depthwise) == 34
    assert not any(layer.norm or layer.bias for layer in depthwise)
    assert {layers[f"{layer.name.rpartition('.')[0]}.pointwise"].inputs for layer in depthwise} == {
        (layer.name,) for layer in depthwise
    }


def test_shortcuts_read_the_blocks_input_before_its_relu():
    layers = {layer.name: layer for layer in small().layers}
    for name, layer in layers.items():
        if layer.kind is Kind.ACT:
            block = name.rpartition(".")[0]
            shortcut = layers.get(f"{block}.shortcut", layers[f"{block}.sum"])
            assert shortcut.inputs[0] == layer.inputs[0]


def test_a_shortcut_never_starts_closed():
    closed = {
        name for name, tensor in Network(small()).tensors().items() if name.endswith("gamma") and not tensor.any()
    }
    assert closed == {f"b{i}.c2.pointwise.gamma" for i in range(3, 11)}
