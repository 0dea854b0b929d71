"""An `Arch` with folded weights as ONNX bytes, written directly: milliseconds, and no torch.

Tables are measured with files of this writer and found networks are deployed with it, so what is timed is what runs.
Nodes are named after their layer (`s1.b0.expand`, its activation `s1.b0.expand/act`): the runtime's profile is read
back by these names. Two choices matter to ONNX Runtime (FINDINGS.md section 4): GlobalAveragePool, not ReduceMean, and
HardSwish as one node, both of which stay in its blocked layout.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, assert_never

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nas.arch import IMAGE, LEAKY_SLOPE, Act, Arch, Kind, Layer, Op
from nas.errors import InputError
from nas.formats.weights import Weights, random_weights, weight_shapes

OPSET = 20
IR_VERSION = 10
INPUT = "image"
OUTPUT = "logits"


def write_onnx(
    arch: Arch, weights: Weights | None = None, *, batch: int = 1, metadata: Mapping[str, str] | None = None
) -> bytes:
    """Write a network as an ONNX model: input `image` (batch, channels, px, px), output `logits` (batch, classes).

    Args:
        arch: The network.
        weights: Folded weights as in `nas.formats.weights`; None: seeded random ones, for timing.
        batch: Images a run, fixed in the file.
        metadata: Strings stored in the model's metadata.

    Raises:
        InputError: Weights are missing or of other shapes than the network's.
    """
    content: bytes = onnx_model(arch, weights, batch=batch, metadata=metadata).SerializeToString()
    return content


def onnx_model(
    arch: Arch, weights: Weights | None = None, *, batch: int = 1, metadata: Mapping[str, str] | None = None
) -> onnx.ModelProto:
    """The model that `write_onnx` writes.

    Raises:
        InputError: As for `write_onnx`.
    """
    if weights is None:
        weights = random_weights(arch)
    _check_weights(arch, weights)
    graph = _Graph(arch, weights, batch)
    for layer, op in zip(arch.layers, arch.ops(), strict=True):
        graph.write(layer, op)
    return graph.model(metadata or {})


def _check_weights(arch: Arch, weights: Weights) -> None:
    for layer, op in zip(arch.layers, arch.ops(), strict=True):
        for key, shape in weight_shapes(layer.name, op).items():
            if key not in weights:
                raise InputError(f"the weights lack '{key}' {shape}; were they made for another architecture?")
            if weights[key].shape != shape:
                raise InputError(f"weights '{key}' have shape {weights[key].shape}, the architecture needs {shape}")


class _Graph:
    """Collects nodes and constants; the tensor a layer makes carries the layer's name."""

    def __init__(self, arch: Arch, weights: Weights, batch: int) -> None:
        self._arch, self._weights, self._batch = arch, weights, batch
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._last = arch.layers[-1].name
        self._flat: set[str] = set()  # layers of shape (batch, channels): linear ones and what follows them

    def model(self, metadata: Mapping[str, str]) -> onnx.ModelProto:
        px, channels = self._arch.size_px, self._arch.widths[IMAGE]
        out = self._arch.ops()[-1]
        out_shape = [self._batch, out.out_channels] + ([] if self._last in self._flat else [out.out_px, out.out_px])
        graph = helper.make_graph(
            self._nodes,
            "underbudget",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [self._batch, channels, px, px])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, out_shape)],
            self._constants,
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="underbudget")
        helper.set_model_props(model, dict(metadata))
        return model

    def write(self, layer: Layer, op: Op) -> None:
        name, sources = layer.name, [self._tensor(source) for source in layer.inputs]
        if op.kind is Kind.LINEAR or layer.inputs[0] in self._flat:
            self._flat.add(name)
        plain = name if op.act is Act.IDENTITY or op.kind is Kind.SE else f"{name}/plain"
        match op.kind:
            case Kind.CONV:
                self._node("Conv", [*sources, *self._parameters(name)], plain, name, **_window(op), group=op.groups)
            case Kind.NORM:
                self._norm(op, name, sources[0], plain)
            case Kind.ACT:
                plain = sources[0]
                if op.act is Act.IDENTITY:
                    self._node("Identity", sources, name, name)
            case Kind.SE:
                self._squeeze_excite(op, name, sources[0])
            case Kind.ADD:
                self._sum(name, sources, plain)
            case Kind.CONCAT:
                self._node("Concat", sources, plain, name, axis=1)
            case Kind.SLICE:
                bounds = [self._integers(f"{name}/{key}", [value]) for key, value in _slice_bounds(op)]
                self._node("Slice", [*sources, *bounds], plain, name)
            case Kind.SHUFFLE:
                self._shuffle(op, name, sources[0], plain)
            case Kind.MAX_POOL:
                self._node("MaxPool", sources, plain, name, **_window(op))
            case Kind.AVG_POOL:
                window = _window(op)
                del window["dilations"]
                self._node("AveragePool", sources, plain, name, **window, count_include_pad=int(op.counts_padding))
            case Kind.GLOBAL_POOL:
                self._global_pool(name, sources, plain)
            case Kind.LINEAR:
                self._node("Flatten", sources, f"{name}/flat", f"{name}/flatten", axis=1)
                self._node("Gemm", [f"{name}/flat", *self._parameters(name)], plain, name, transB=1)
            case _:
                assert_never(op.kind)
        if op.act is not Act.IDENTITY and op.kind is not Kind.SE:
            self._activation(op.act, plain, name, f"{name}/act")

    def _tensor(self, layer: str) -> str:
        return INPUT if layer == IMAGE else layer

    def _node(self, kind: str, inputs: list[str], output: str, name: str, **attributes: Any) -> None:
        target = OUTPUT if output == self._last else output
        self._nodes.append(helper.make_node(kind, inputs, [target], name=name, **attributes))

    def _constant(self, name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _integers(self, name: str, values: list[int]) -> str:
        return self._constant(name, np.asarray(values, dtype=np.int64))

    def _parameters(self, name: str) -> list[str]:
        return [self._constant(key, self._weights[key]) for key in (f"{name}.weight", f"{name}.bias")]

    def _activation(self, act: Act, source: str, output: str, name: str) -> None:
        match act:
            case Act.IDENTITY:
                self._node("Identity", [source], output, name)
            case Act.RELU:
                self._node("Relu", [source], output, name)
            case Act.RELU6:
                limits = [self._constant(f"{name}/{v}", np.asarray(v, dtype=np.float32)) for v in (0, 6)]
                self._node("Clip", [source, *limits], output, name)
            case Act.HSWISH:
                self._node("HardSwish", [source], output, name)
            case Act.HSIGMOID:
                self._node("HardSigmoid", [source], output, name, alpha=1 / 6, beta=0.5)
            case Act.SIGMOID:
                self._node("Sigmoid", [source], output, name)
            case Act.SWISH:
                self._node("Sigmoid", [source], f"{name}/sigmoid", f"{name}/sigmoid")
                self._node("Mul", [source, f"{name}/sigmoid"], output, name)
            case Act.GELU:
                self._node("Gelu", [source], output, name)
            case Act.TANH:
                self._node("Tanh", [source], output, name)
            case Act.LEAKY_RELU:
                self._node("LeakyRelu", [source], output, name, alpha=LEAKY_SLOPE)
            case _:
                assert_never(act)

    def _squeeze_excite(self, op: Op, name: str, source: str) -> None:
        self._node("GlobalAveragePool", [source], f"{name}/mean", f"{name}/mean")
        self._dense(f"{name}.down", f"{name}/mean", f"{name}/down")
        self._activation(op.act, f"{name}/down", f"{name}/squeezed", f"{name}/act")
        self._dense(f"{name}.up", f"{name}/squeezed", f"{name}/up")
        self._activation(op.gate, f"{name}/up", f"{name}/scale", f"{name}/gate")
        self._node("Mul", [source, f"{name}/scale"], name, name)

    def _dense(self, key: str, source: str, output: str) -> None:
        weight = self._constant(f"{key}.weight", self._weights[f"{key}.weight"][:, :, None, None])
        bias = self._constant(f"{key}.bias", self._weights[f"{key}.bias"])
        self._node("Conv", [source, weight, bias], output, output)

    def _norm(self, op: Op, name: str, source: str, output: str) -> None:
        scale, shift = (self._constant(key, self._weights[key]) for key in (f"{name}.scale", f"{name}.shift"))
        if name in self._flat:
            self._node("Mul", [source, scale], f"{name}/scaled", f"{name}/scaled")
            self._node("Add", [f"{name}/scaled", shift], output, name)
        else:  # one node that stays in the runtime's blocked layout, as Mul and Add do not
            mean = self._constant(f"{name}/mean", np.zeros(op.out_channels, dtype=np.float32))
            var = self._constant(f"{name}/var", np.ones(op.out_channels, dtype=np.float32))
            self._node("BatchNormalization", [source, scale, shift, mean, var], output, name, epsilon=1e-12)

    def _sum(self, name: str, sources: list[str], output: str) -> None:
        if len(sources) == 1:
            self._node("Identity", sources, output, name)
        total = sources[0]
        for i, source in enumerate(sources[1:], start=2):
            partial = output if i == len(sources) else f"{name}/sum{i}"
            self._node("Add", [total, source], partial, name if i == len(sources) else partial)
            total = partial

    def _global_pool(self, name: str, sources: list[str], output: str) -> None:
        if name != self._last:
            self._node("GlobalAveragePool", sources, output, name)
            return
        self._node("GlobalAveragePool", sources, f"{name}/mean", name)
        self._node("Flatten", [f"{name}/mean"], output, f"{name}/flatten", axis=1)
        self._flat.add(name)

    def _shuffle(self, op: Op, name: str, source: str, output: str) -> None:
        px, groups, each = op.in_px, op.groups, op.in_channels // op.groups
        split = self._integers(f"{name}/split_shape", [self._batch, groups, each, px, px])
        whole = self._integers(f"{name}/whole_shape", [self._batch, op.in_channels, px, px])
        self._node("Reshape", [source, split], f"{name}/split", f"{name}/split")
        self._node("Transpose", [f"{name}/split"], f"{name}/swap", f"{name}/swap", perm=[0, 2, 1, 3, 4])
        self._node("Reshape", [f"{name}/swap", whole], output, name)


def _window(op: Op) -> dict[str, Any]:
    return {
        "kernel_shape": list(op.kernel),
        "strides": [op.stride, op.stride],
        "pads": [*op.padding, *map(operator.add, op.padding, op.past_end)],
        "dilations": [op.dilation, op.dilation],
    }


def _slice_bounds(op: Op) -> list[tuple[str, int]]:
    return [("start", op.begin), ("end", op.begin + op.out_channels), ("axis", 1)]
