"""Ranges of a network's tensors on real images, which its eight-bit form (`nas.formats.int8`) is made with.

The probe is the float model with another output: for every image the extremes of each tensor. Whatever runs ONNX can
calibrate.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from nas.formats.int8 import Ranges, quantised_tensors
from nas.formats.onnx import INPUT, OUTPUT

Infer = Callable[[bytes, NDArray[np.float32]], NDArray[np.float32]]  # model, images (n, c, h, w) -> output (n, k)


def calibrate(model: onnx.ModelProto, images: NDArray[np.float32], infer: Infer) -> Ranges:
    """Measure the ranges that `nas.formats.int8.quantise` needs.

    A range reaches from the mean of the images' minima to the mean of their maxima: the few values beyond saturate,
    and all others are told apart better.

    Args:
        model: The float model.
        images: Real, normalised inputs (n, c, h, w).
        infer: Runs a model on images.
    """
    tensors = quantised_tensors(model)
    extremes = infer(_probe(model, tensors).SerializeToString(), images).mean(axis=0).reshape(len(tensors), 2)
    return {name: (float(low), float(high)) for name, (low, high) in zip(tensors, extremes, strict=True)}


def _probe(model: onnx.ModelProto, tensors: list[str]) -> onnx.ModelProto:
    """The model with another output, called as before: (batch, 2 * tensors), minimum and maximum of each tensor."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    graph = probe.graph
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = ["probed" if name == OUTPUT else name for name in names]
    extremes: list[str] = []
    nodes: list[NodeProto] = []
    for i, tensor in enumerate("probed" if name == OUTPUT else name for name in tensors):
        nodes.append(helper.make_node("Flatten", [tensor], [f"probe{i}"], axis=1))
        for kind in ("ReduceMin", "ReduceMax"):
            nodes.append(helper.make_node(kind, [f"probe{i}", "probe/axes"], [f"probe{i}/{kind}"], keepdims=1))
            extremes.append(f"probe{i}/{kind}")
    nodes.append(helper.make_node("Concat", extremes, [OUTPUT], axis=1))
    graph.node.extend(nodes)
    graph.initializer.append(helper.make_tensor("probe/axes", TensorProto.INT64, [1], [1]))
    batch = next(value for value in graph.input if value.name == INPUT).type.tensor_type.shape.dim[0].dim_value
    graph.output[0].CopyFrom(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [batch, len(extremes)]))
    return probe
