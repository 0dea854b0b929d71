"""Networks in eight bits: the float graph of `nas.formats.onnx` with every tensor quantised, in ONNX's QDQ form.

Each operation reads its inputs through DequantizeLinear and is followed by QuantizeLinear; ONNX Runtime merges the
three into one integer kernel, and runs the operation in float between them where it has none (HardSwish, HardSigmoid,
Gelu, Tanh). Activations are uint8 with a scale and a zero point a tensor, weights int8 with a scale an output channel,
biases int32. A ReLU behind an operation is no node: the zero point 0 of its range does its work.

Weights keep to 7 bits: x86 CPUs without VNNI add pairs of products in 16 bits, which 8 would saturate.

Tables are timed with files of this writer and networks are deployed with it; only the ranges differ, which are made up
for timing (`typical_ranges`) and measured for deployment (`nas.formats.calibration`). They leave the form as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from nas.arch import Arch
from nas.formats.onnx import INPUT, OUTPUT, onnx_model

Ranges = Mapping[str, tuple[float, float]]  # tensor -> lowest and highest value that it takes

WEIGHT_MAX = 63
BIAS_MAX = 2**30
LEAST_SCALE = 1e-12  # of a tensor that is always 0
_WEIGHTED = ("Conv", "Gemm")
_CLAMPS = ("Relu", "Clip")
_IN_FLOAT = ("BatchNormalization", "HardSwish", "HardSigmoid", "Gelu", "Tanh")
_KEEP_RANGE = ("MaxPool", "Slice", "Reshape", "Transpose", "Flatten", "Identity")
_TYPICAL = {"Clip": (0.0, 6.0), "Relu": (0.0, 4.0), "Sigmoid": (0.0, 1.0), "HardSigmoid": (0.0, 1.0)}


def write_int8(arch: Arch, *, batch: int = 1) -> bytes:
    """Write a network in eight bits with random weights and typical ranges, for timing."""
    model = onnx_model(arch, batch=batch)
    content: bytes = quantise(model, typical_ranges(model)).SerializeToString()
    return content


def quantise(model: onnx.ModelProto, ranges: Ranges) -> onnx.ModelProto:
    """The eight-bit form of a float model of `nas.formats.onnx`.

    Args:
        model: The float model; it is left as it is.
        ranges: Of every tensor in `quantised_tensors(model)`.
    """
    writer = _Writer(_Plan(model.graph), ranges)
    graph = helper.make_graph(
        writer.nodes, model.graph.name, list(model.graph.input), list(model.graph.output), writer.constants
    )
    result = helper.make_model(
        graph, opset_imports=list(model.opset_import), ir_version=model.ir_version, producer_name=model.producer_name
    )
    helper.set_model_props(result, {item.key: item.value for item in model.metadata_props})
    return result


def quantised_tensors(model: onnx.ModelProto) -> list[str]:
    """Tensors of a float model whose ranges its eight-bit form needs, in order."""
    plan = _Plan(model.graph)
    return list(dict.fromkeys(plan.ranged_as(name) for name in plan.quantised))


def typical_ranges(model: onnx.ModelProto) -> Ranges:
    """Ranges that give a float model's eight-bit form the nodes that measured ones would."""
    kinds = {node.output[0]: node.op_type for node in model.graph.node}
    return {name: _TYPICAL.get(kinds.get(name, ""), (-4.0, 4.0)) for name in quantised_tensors(model)}


class _Plan:
    """What becomes of each node and tensor.

    Attributes:
        nodes: The nodes that stay; one before a clamp that goes writes the clamp's output.
        quantised: Tensors in eight bits.
    """

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.constants = {constant.name: constant for constant in graph.initializer}
        readers = Counter(name for node in graph.node for name in node.input)
        before = {node.output[0]: node for node in graph.node}
        merged = {
            node.input[0]: node.output[0]
            for node in graph.node
            if node.op_type in _CLAMPS and _takes_clamp(before.get(node.input[0])) and readers[node.input[0]] == 1
        }
        clamped = set(merged.values())  # by the range in eight bits, and by nothing else
        self.nodes = [
            _with(node, node.input, merged.get(node.output[0], node.output[0]))
            for node in graph.node
            if node.output[0] not in clamped
        ]
        self._makers = {node.output[0]: node for node in self.nodes}
        read = {name for node in self.nodes if not self._in_float(node) for name in node.input}
        made = {name for name, node in self._makers.items() if not (self._in_float(node) or _makes_logits(node))}
        self.quantised = [INPUT, *(name for name in self._makers if name in read | made | clamped)]

    def ranged_as(self, tensor: str) -> str:
        """The tensor whose range a quantised tensor shares: its own, or that of what it was only moved from."""
        maker = self._makers.get(tensor)
        while maker is not None and maker.op_type in _KEEP_RANGE:
            tensor = maker.input[0]
            maker = self._makers.get(tensor)
        return tensor

    def _in_float(self, node: NodeProto) -> bool:
        """Whether the runtime computes a node in float: it has no integer kernel for it."""
        scaled = node.op_type in ("Mul", "Add") and node.input[1] in self.constants
        return scaled or node.op_type in _IN_FLOAT


def _takes_clamp(node: NodeProto | None) -> bool:
    return node is not None and node.op_type not in (*_KEEP_RANGE, *_CLAMPS)


def _makes_logits(node: NodeProto) -> bool:
    """Whether a node makes the output and the runtime's integer kernel makes it in float."""
    return node.op_type == "Gemm" and node.output[0] == OUTPUT


def _with(node: NodeProto, inputs: Sequence[str], output: str) -> NodeProto:
    """The node between other tensors."""
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:], copy.output[:] = inputs, [output]
    return copy


class _Writer:
    """Writes the planned nodes with what they read and make in eight bits.

    The DequantizeLinear of an input is called after its reader, the QuantizeLinear of an output after its maker.
    """

    def __init__(self, plan: _Plan, ranges: Ranges) -> None:
        self._plan, self._ranges = plan, ranges
        self._quantised = set(plan.quantised)
        self.nodes: list[NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._quantise(INPUT, INPUT, f"{INPUT}/q")
        for node in plan.nodes:
            self._write(node)

    def _write(self, node: NodeProto) -> None:
        (made,) = node.output
        inputs = [self._read(node, i, name) for i, name in enumerate(node.input)]
        if node.op_type in _WEIGHTED:
            inputs[1:] = self._parameters(node)
        in_float = f"{made}/float" if made == OUTPUT and made in self._quantised else made
        self.nodes.append(_with(node, inputs, in_float))
        if made in self._quantised:
            self._quantise(made, in_float, f"{node.name}/q")
        if in_float != made:
            self._dequantise(made, made, f"{node.name}/out")

    def _read(self, node: NodeProto, place: int, tensor: str) -> str:
        if tensor in self._quantised:
            return self._dequantise(tensor, f"{node.name}/in{place}", f"{node.name}/in{place}")
        if tensor in self._plan.constants and node.op_type not in _WEIGHTED:
            self.constants.append(self._plan.constants[tensor])
        return tensor

    def _quantise(self, tensor: str, source: str, name: str) -> None:
        scale, zero = _scale_and_zero(*self._ranges[self._plan.ranged_as(tensor)])
        names = [self._constant(f"{tensor}/scale8", scale), self._constant(f"{tensor}/zero8", zero)]
        self._node("QuantizeLinear", [source, *names], f"{tensor}/8", name)

    def _dequantise(self, tensor: str, output: str, name: str) -> str:
        return self._node("DequantizeLinear", [f"{tensor}/8", f"{tensor}/scale8", f"{tensor}/zero8"], output, name)

    def _parameters(self, node: NodeProto) -> list[str]:
        """Weight and bias of a node: integers, dequantised a channel."""
        weight, bias = (numpy_helper.to_array(self._plan.constants[name]) for name in node.input[1:])
        scale, _ = _scale_and_zero(*self._ranges[self._plan.ranged_as(node.input[0])])
        weight8, weight_scale, bias32 = _channelwise(weight, bias, float(scale))
        parts = ((node.input[1], weight8, weight_scale), (node.input[2], bias32, scale * weight_scale))
        outputs = []
        for name, integers, scales in parts:
            names = [self._constant(name, integers), self._constant(f"{name}/scale8", scales)]
            zeros = self._constant(f"{name}/zero8", np.zeros(len(scales), dtype=integers.dtype))
            outputs.append(self._node("DequantizeLinear", [*names, zeros], f"{name}/float", f"{name}/dq", axis=0))
        return outputs

    def _node(self, kind: str, inputs: list[str], output: str, name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=name, **attributes))
        return output

    def _constant(self, name: str, values: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(values, name))
        return name


def _scale_and_zero(low: float, high: float) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Scale and zero point of uint8 over a range, which is widened to hold 0 exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max((high - low) / 255, LEAST_SCALE)
    return np.asarray(scale, dtype=np.float32), np.asarray(round(-low / scale), dtype=np.uint8)


def _channelwise(
    weight: NDArray[np.float32], bias: NDArray[np.float32], input_scale: float
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.int32]]:
    """Integer weight, its scale an output channel, and integer bias; scales leave room for the bias in 32 bits."""
    flat = weight.reshape(len(weight), -1)
    scale = np.maximum(np.abs(flat).max(axis=1) / WEIGHT_MAX, np.abs(bias) / (input_scale * BIAS_MAX))
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    weight8 = np.rint(flat / scale[:, None]).astype(np.int8).reshape(weight.shape)
    return weight8, scale, np.rint(bias / (input_scale * scale.astype(np.float64))).astype(np.int32)
