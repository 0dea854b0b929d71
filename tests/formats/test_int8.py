"""The eight-bit form computes nearly what the float form does, in integers wherever the runtime can."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.arch import CLASSES, IMAGE, Act, Arch, Kind, Layer
from nas.formats import int8
from nas.formats.calibration import calibrate
from nas.formats.int8 import quantise, quantised_tensors, typical_ranges, write_int8
from nas.formats.onnx import INPUT, OUTPUT, onnx_model
from nas.space import largest, uniform
from tests.net.zoo import SPACE, every_kind

ARCHS = {
    "every kind": every_kind(),
    "largest": SPACE.build(largest),
    "random": SPACE.build(uniform(random.Random(3))),
}
IMAGES = 24


def images_for(arch: Arch, count: int = IMAGES) -> np.ndarray:
    shape = (count, arch.widths[IMAGE], arch.size_px, arch.size_px)
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def session_of(model: bytes, profile: Path | None = None) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if profile:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def infer(model: bytes, images: np.ndarray) -> np.ndarray:
    session = session_of(model)
    batch = session.get_inputs()[0].shape[0]
    return np.concatenate([session.run(None, {INPUT: images[i : i + batch]})[0] for i in range(0, len(images), batch)])


def executed(model: onnx.ModelProto, tmp_path: Path) -> Counter[str]:
    """Types of the nodes that the runtime really runs."""
    session = session_of(model.SerializeToString(), tmp_path / "profile")
    shape = session.get_inputs()[0].shape
    session.run(None, {INPUT: np.zeros(shape, np.float32)})
    events = json.loads(Path(session.end_profiling()).read_text())
    return Counter(event["args"]["op_name"] for event in events if event["name"].endswith("_kernel_time"))


def of(*layers: Layer) -> Arch:
    """Layers behind a convolution called `stem`, in front of a classifier."""
    stem = Layer(name="stem", kind=Kind.CONV, inputs=(IMAGE,), width="w", kernel=(3, 3), act=Act.RELU)
    head = Layer(name="fc", kind=Kind.LINEAR, inputs=((layers or (stem,))[-1].name,), width=CLASSES)
    return Arch(layers=(stem, *layers, head), widths={IMAGE: 3, "w": 16, "s": 4, CLASSES: 5}, size_px=8)


def conv(name: str, source: str, act: Act = Act.IDENTITY) -> Layer:
    return Layer(name=name, kind=Kind.CONV, inputs=(source,), width="w", act=act)


@pytest.mark.parametrize("arch", ARCHS.values(), ids=ARCHS)
def test_logits_stay_near_those_in_float(arch: Arch) -> None:
    model, images = onnx_model(arch, batch=4), images_for(arch)
    small = quantise(model, calibrate(model, images, infer))
    onnx.checker.check_model(small, full_check=True)
    exact, found = infer(model.SerializeToString(), images), infer(small.SerializeToString(), images)
    assert np.corrcoef(exact.ravel(), found.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("arch", ARCHS.values(), ids=ARCHS)
def test_typical_ranges_give_the_nodes_that_measured_ones_do(arch: Arch, tmp_path: Path) -> None:
    model = onnx_model(arch)
    measured = quantise(model, calibrate(model, images_for(arch), infer))
    typical = onnx.load_from_string(write_int8(arch))
    assert [node.name for node in typical.graph.node] == [node.name for node in measured.graph.node]
    assert executed(typical, tmp_path) == executed(measured, tmp_path)


def pooled(name: str, kind: Kind, **options: object) -> Layer:
    return Layer(name=name, kind=kind, inputs=("stem",), kernel=(3, 3), stride=2, **options)


@pytest.mark.parametrize(
    ("layers", "runs"),
    [
        ((pooled("x", Kind.AVG_POOL),), "QLinearAveragePool"),
        ((pooled("x", Kind.AVG_POOL, counts_padding=False),), "QLinearAveragePool"),
        ((pooled("x", Kind.MAX_POOL, padding=(0, 0), ceil=True),), "NhwcMaxPool"),
        ((conv("x", "stem", Act.LEAKY_RELU),), "QLinearLeakyRelu"),
        ((conv("x", "stem", Act.TANH),), "Tanh"),
        ((conv("a", "stem"), Layer(name="x", kind=Kind.CONCAT, inputs=("a", "stem"))), "QLinearConcat"),
    ],
    ids=["average of all", "average of pixels", "max past the end", "leaky relu", "tanh", "concat"],
)
def test_what_other_families_use_runs_as_told(layers: tuple[Layer, ...], runs: str, tmp_path: Path) -> None:
    arch = of(*layers)
    model, images = onnx_model(arch), images_for(arch)
    small = quantise(model, calibrate(model, images, infer))
    exact, found = infer(model.SerializeToString(), images), infer(small.SerializeToString(), images)
    assert np.abs(exact - found).mean() < 0.02 * np.abs(exact).max()
    assert executed(small, tmp_path)[runs] == 1


def test_convolutions_sums_pools_and_gates_run_in_integers(tmp_path: Path) -> None:
    arch = SPACE.build(largest)
    kinds = Counter(layer.kind for layer in arch.layers)
    ran = executed(onnx.load_from_string(write_int8(arch)), tmp_path)
    assert ran["QLinearConv"] == kinds[Kind.CONV] + 2 * kinds[Kind.SE]
    assert ran["QLinearAdd"] == kinds[Kind.ADD]
    assert ran["QLinearMul"] == kinds[Kind.SE]
    assert ran["QLinearGlobalAveragePool"] == kinds[Kind.SE] + kinds[Kind.GLOBAL_POOL]
    assert ran["QGemm"] == kinds[Kind.LINEAR]
    assert not ran["Conv"] + ran["FusedConv"] + ran["Gemm"] + ran["Add"]


def test_a_relu_is_the_zero_point_of_its_range() -> None:
    for act in (Act.RELU, Act.RELU6):
        kinds = {node.op_type for node in onnx.load_from_string(write_int8(of(conv("a", "stem", act)))).graph.node}
        assert not kinds & {"Relu", "Clip"}


@pytest.mark.parametrize(
    "layer",
    [
        Layer(name="x", kind=Kind.ACT, inputs=(IMAGE,), act=Act.RELU),
        Layer(name="x", kind=Kind.MAX_POOL, inputs=(IMAGE,), kernel=(3, 3), act=Act.RELU),
    ],
    ids=["image", "moved"],
)
def test_a_relu_with_nothing_to_merge_into_stays(layer: Layer) -> None:
    fc = Layer(name="fc", kind=Kind.LINEAR, inputs=("x",), width=CLASSES)
    arch = Arch(layers=(layer, fc), widths={IMAGE: 3, CLASSES: 5}, size_px=8)
    model, images = onnx_model(arch), images_for(arch)
    small = quantise(model, calibrate(model, images, infer))
    assert "Relu" in {node.op_type for node in small.graph.node}
    exact, found = infer(model.SerializeToString(), images), infer(small.SerializeToString(), images)
    assert np.abs(exact - found).mean() < 0.02 * np.abs(exact).max()


def test_a_relu_beside_another_reader_stays() -> None:
    arch = of(conv("a", "stem"), Layer(name="r", kind=Kind.ACT, inputs=("a",), act=Act.RELU))
    both = Layer(name="sum", kind=Kind.ADD, inputs=("a", "r"))
    fc = Layer(name="fc", kind=Kind.LINEAR, inputs=("sum",), width=CLASSES)
    forked = Arch(layers=(*arch.layers[:-1], both, fc), widths=arch.widths, size_px=8)
    assert "Relu" not in {node.op_type for node in onnx.load_from_string(write_int8(arch)).graph.node}
    assert "Relu" in {node.op_type for node in onnx.load_from_string(write_int8(forked)).graph.node}


@pytest.mark.parametrize("behind", [Act.GELU, Act.RELU])
def test_a_relu_between_what_runs_in_float_is_not_lost(behind: Act) -> None:
    norm = Layer(name="norm", kind=Kind.NORM, inputs=("a",), act=Act.RELU)
    layers = (of().layers[0], conv("a", "stem"), norm, Layer(name="x", kind=Kind.ACT, inputs=("norm",), act=behind))
    arch = Arch(layers=layers, widths={IMAGE: 3, "w": 16}, size_px=8)
    model, images = onnx_model(arch), images_for(arch)
    exact = infer(model.SerializeToString(), images)
    found = infer(quantise(model, calibrate(model, images, infer)).SerializeToString(), images)
    assert (found >= -1e-3).all()
    assert np.abs(exact - found).mean() < 0.02 * np.abs(exact).max()


def test_tensors_that_are_only_moved_keep_their_range() -> None:
    pool = Layer(name="pool", kind=Kind.MAX_POOL, inputs=("stem",), kernel=(2, 2), stride=2, padding=(0, 0))
    model = onnx_model(of(pool, Layer(name="mix", kind=Kind.SHUFFLE, inputs=("pool",), groups=4)))
    assert quantised_tensors(model) == [INPUT, "stem"]
    constants = {
        item.name: onnx.numpy_helper.to_array(item) for item in quantise(model, typical_ranges(model)).graph.initializer
    }
    assert constants["stem/scale8"] == constants["pool/scale8"] == constants["mix/scale8"]


def test_what_runs_in_float_is_not_rounded_between() -> None:
    norm = Layer(name="norm", kind=Kind.NORM, inputs=("stem",), act=Act.HSWISH)
    tensors = quantised_tensors(onnx_model(of(norm)))
    assert tensors == [INPUT, "stem", "norm"]


@pytest.mark.parametrize(
    "last",
    [
        Layer(name="x", kind=Kind.GLOBAL_POOL, inputs=("stem",)),
        Layer(name="x", kind=Kind.CONV, inputs=("stem",), width="w", act=Act.RELU),
        Layer(name="x", kind=Kind.LINEAR, inputs=("stem",), width="w"),
        Layer(name="x", kind=Kind.LINEAR, inputs=("stem",), width="w", act=Act.RELU),
        Layer(name="x", kind=Kind.LINEAR, inputs=("stem",), width="w", act=Act.HSWISH),
    ],
    ids=lambda layer: f"{layer.kind} {layer.act}",
)
def test_the_output_is_in_float_whatever_the_last_layer(last: Layer) -> None:
    arch = Arch(layers=(of().layers[0], last), widths={IMAGE: 3, "w": 16}, size_px=8)
    model, images = onnx_model(arch), images_for(arch)
    small = quantise(model, calibrate(model, images, infer))
    onnx.checker.check_model(small, full_check=True)
    exact, found = infer(model.SerializeToString(), images), infer(small.SerializeToString(), images)
    assert [value.name for value in small.graph.output] == [OUTPUT]
    assert (exact.shape, exact.dtype) == (found.shape, found.dtype)
    assert np.abs(exact - found).mean() < 0.05 * np.abs(exact).max()


def test_node_names_begin_with_their_layer() -> None:
    arch = every_kind()
    names = [node.name for node in onnx.load_from_string(write_int8(arch)).graph.node]
    known = {layer.name for layer in arch.layers} | {INPUT}
    own = [name for name in names if not name.endswith(("weight/dq", "bias/dq"))]
    assert len(set(names)) == len(names)
    assert {name.partition("/")[0] for name in own} == known


def test_the_float_model_and_its_metadata_are_kept() -> None:
    model = onnx_model(every_kind(), batch=2, metadata={"classes": "a,b"})
    before = model.SerializeToString()
    small = quantise(model, typical_ranges(model))
    assert model.SerializeToString() == before
    assert {item.key: item.value for item in small.metadata_props} == {"classes": "a,b"}
    assert small.graph.input[0] == model.graph.input[0]


def test_the_same_network_is_the_same_file() -> None:
    assert write_int8(every_kind()) == write_int8(every_kind())


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_zero_is_exact_in_every_range(low: float, high: float) -> None:
    low, high = sorted((low, high))
    scale, zero = int8._scale_and_zero(low, high)
    assert scale > 0
    values = (np.arange(256) - int(zero)) * float(scale)
    assert values.min() <= min(low, 0) + scale
    assert values.max() >= max(high, 0) - scale


@pytest.mark.parametrize(
    ("weight", "bias"),
    [(1.0, 0.5), (0.0, 0.5), (1e-30, 100.0), (1e3, 0.0), (0.0, 0.0)],
    ids=["usual", "dead channel", "vanishing weight", "no bias", "nothing"],
)
def test_weights_and_biases_are_rounded_but_never_lost(weight: float, bias: float) -> None:
    weights = np.array([[weight, -weight / 2]], np.float32)
    weight8, scale, bias32 = int8._channelwise(weights, np.array([bias], np.float32), 0.01)
    assert np.abs(weight8).max() <= int8.WEIGHT_MAX
    np.testing.assert_allclose(weight8 * scale, weights, atol=max(scale))
    np.testing.assert_allclose(bias32 * 0.01 * scale.astype(np.float64), [bias], rtol=1e-4, atol=0.01 * max(scale))
