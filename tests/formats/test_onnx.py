"""What is written is valid ONNX and computes what torch computes, for every kind of layer and both presets."""

from __future__ import annotations

import random

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from nas._config.compose import compose
from nas.arch import CLASSES, IMAGE, Act, Arch, Kind, Layer
from nas.config import load
from nas.errors import InputError
from nas.formats.onnx import INPUT, OPSET, OUTPUT, write_onnx
from nas.net import Network, fold
from nas.space import SearchSpace, uniform
from tests.net.zoo import SPACE, every_kind

BATCH = 2


def randomised(arch: Arch, seed: int = 0) -> Network:
    """A network with random running statistics, scales and shifts."""
    network = Network(arch, seed=seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in network.tensors().items():
            match name.rpartition(".")[-1]:
                case "var" | "gamma":
                    tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
                case "mean" | "beta" | "bias":
                    tensor.copy_(0.2 * torch.randn(tensor.shape, generator=generator))
    return network


def difference(network: Network, *, batch: int = BATCH, seed: int = 0) -> float:
    """Largest difference between the file's logits and torch's; the file is checked first."""
    arch = network.arch
    content = write_onnx(arch, fold(network), batch=batch)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    images = np.random.default_rng(seed).standard_normal(
        (batch, arch.widths[IMAGE], arch.size_px, arch.size_px), dtype=np.float32
    )
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).numpy()
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (logits,) = session.run([OUTPUT], {INPUT: images})
    assert logits.shape == expected.shape == tuple(session.get_outputs()[0].shape)
    assert np.ptp(expected) > 0
    return float(np.abs(logits - expected).max())


def after(*layers: Layer, widths: dict[str, int] | None = None, size_px: int = 7) -> Arch:
    """Layers behind a convolution of 8 channels named `stem`."""
    stem = Layer(name="stem", kind=Kind.CONV, inputs=(IMAGE,), width="stem", kernel=(3, 3))
    return Arch(layers=(stem, *layers), widths={IMAGE: 3, "stem": 8, **(widths or {})}, size_px=size_px)


def one(kind: Kind, **options: object) -> Arch:
    return after(Layer(name="x", kind=kind, inputs=("stem",), **options), widths={"out": 6, "mid": 4})


LAST = {
    "conv": one(Kind.CONV, width="out", kernel=(5, 5), stride=2, act=Act.HSWISH),
    "conv without norm": one(Kind.CONV, width="out", norm=False, act=Act.SWISH),
    "conv without norm and bias": one(Kind.CONV, width="out", norm=False, bias=False, act=Act.LEAKY_RELU),
    "linear without bias": one(Kind.LINEAR, width="out", bias=False, act=Act.TANH),
    "conv of uneven padding": one(Kind.CONV, width="out", kernel=(3, 1), padding=(1, 0)),
    "grouped": one(Kind.CONV, width="mid", groups=4, kernel=(3, 3), act=Act.GELU),
    "dilated": one(Kind.CONV, width="out", kernel=(3, 3), dilation=2, act=Act.RELU6),
    "depthwise": one(Kind.CONV, depthwise=True, kernel=(5, 5), act=Act.HSIGMOID),
    "norm": one(Kind.NORM),
    "norm and act": one(Kind.NORM, act=Act.SWISH),
    "squeeze-excite": one(Kind.SE, squeeze="mid", act=Act.SWISH, gate=Act.SIGMOID),
    "squeeze-excite without functions": one(Kind.SE, squeeze="mid"),
    "add of one": one(Kind.ADD),
    "add of one and act": one(Kind.ADD, act=Act.RELU),
    "add of three": after(Layer(name="x", kind=Kind.ADD, inputs=("stem", "stem", "stem"), act=Act.GELU)),
    "concat of one": one(Kind.CONCAT),
    "concat of three and act": after(
        Layer(name="x", kind=Kind.CONCAT, inputs=("stem", "stem", "stem"), act=Act.SIGMOID)
    ),
    "slice": one(Kind.SLICE, width="out"),
    "slice behind others": one(Kind.SLICE, width="mid", skip=("mid",), act=Act.RELU),
    "shuffle": one(Kind.SHUFFLE, groups=4),
    "shuffle and act": one(Kind.SHUFFLE, groups=2, act=Act.RELU),
    "max pool": one(Kind.MAX_POOL, kernel=(3, 3), stride=2, act=Act.GELU),
    "max pool without padding": one(Kind.MAX_POOL, kernel=(2, 2), stride=2, padding=(0, 0)),
    "max pool past the end": one(Kind.MAX_POOL, kernel=(2, 2), stride=2, padding=(0, 0), ceil=True),
    "max pool far past the end": one(Kind.MAX_POOL, kernel=(5, 5), stride=4, padding=(1, 1), ceil=True),
    "max pool dilated": one(Kind.MAX_POOL, kernel=(3, 3), dilation=2, padding=(1, 1)),
    "average pool": one(Kind.AVG_POOL, kernel=(3, 3), stride=2, act=Act.RELU),
    "average pool of pixels only": one(Kind.AVG_POOL, kernel=(3, 3), stride=2, counts_padding=False),
    "average pool without padding": one(Kind.AVG_POOL, kernel=(3, 3), stride=2, padding=(0, 0)),
    "global pool": one(Kind.GLOBAL_POOL, act=Act.HSWISH),
    "linear on pixels": one(Kind.LINEAR, width="out", act=Act.HSWISH),
}


@pytest.mark.parametrize("arch", LAST.values(), ids=LAST)
def test_every_kind_as_the_last_layer(arch: Arch) -> None:
    assert difference(randomised(arch)) <= 1e-5


@pytest.mark.parametrize("act", Act)
def test_every_activation_as_the_last_layer(act: Act) -> None:
    assert difference(randomised(one(Kind.ACT, act=act))) <= 1e-5


@pytest.mark.parametrize("act", [Act.IDENTITY, Act.SWISH])
def test_a_network_may_begin_with_an_activation(act: Act) -> None:
    arch = Arch(layers=(Layer(name="x", kind=Kind.ACT, inputs=(IMAGE,), act=act),), widths={IMAGE: 3}, size_px=5)
    assert difference(Network(arch)) <= 1e-6


@pytest.mark.parametrize(
    "behind",
    [
        Layer(name="x", kind=Kind.ACT, inputs=("fc",), act=Act.GELU),
        Layer(name="x", kind=Kind.NORM, inputs=("fc",), act=Act.RELU),
        Layer(name="x", kind=Kind.ADD, inputs=("fc", "fc")),
        Layer(name="x", kind=Kind.CONCAT, inputs=("fc", "fc")),
        Layer(name="x", kind=Kind.SLICE, inputs=("fc",), width="half"),
        Layer(name="x", kind=Kind.LINEAR, inputs=("fc",), width="half"),
    ],
    ids=lambda layer: layer.kind,
)
def test_layers_behind_a_linear_one_keep_its_flat_shape(behind: Layer) -> None:
    linear = Layer(name="fc", kind=Kind.LINEAR, inputs=("stem",), width="fc")
    assert difference(randomised(after(linear, behind, widths={"fc": 6, "half": 3}))) <= 1e-5


@pytest.mark.parametrize("batch", [1, 3])
def test_a_graph_of_every_kind(batch: int) -> None:
    assert difference(randomised(every_kind()), batch=batch) <= 1e-4


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_of_a_space(seed: int) -> None:
    arch = SPACE.build(uniform(random.Random(seed)))
    assert difference(randomised(arch, seed), seed=seed) <= 1e-4


def preset(name: str) -> SearchSpace:
    (settings,) = load(compose([f"space={name}", "+target=intel_cpu"]))
    return settings.make_space(image_channels=3, classes=10)


@pytest.mark.parametrize(("name", "count"), [("mobilenet_v3_28px", 4), ("mobilenet_v3_224px", 1)])
def test_random_networks_of_the_presets(name: str, count: int) -> None:
    space = preset(name)
    rng = random.Random(0)
    for seed in range(count):
        assert difference(randomised(space.build(uniform(rng)), seed), batch=1, seed=seed) <= 1e-4


def test_the_file_states_its_inputs_opset_and_metadata() -> None:
    metadata = {"classes": "shirt,boot", "µs": "12"}
    model = onnx.load_from_string(write_onnx(every_kind(), batch=4, metadata=metadata))
    shapes = [
        (value.name, [size.dim_value for size in value.type.tensor_type.shape.dim])
        for value in (*model.graph.input, *model.graph.output)
    ]
    assert shapes == [(INPUT, [4, 3, 16, 16]), (OUTPUT, [4, 5])]
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    assert {item.key: item.value for item in model.metadata_props} == metadata


def test_nodes_are_named_after_their_layer() -> None:
    arch = every_kind()
    names = [node.name for node in onnx.load_from_string(write_onnx(arch)).graph.node]
    assert len(set(names)) == len(names)
    assert {name.partition("/")[0] for name in names} == {layer.name for layer in arch.layers}


def test_the_same_network_is_the_same_file() -> None:
    assert write_onnx(every_kind()) == write_onnx(every_kind())
    assert not onnx.load_from_string(write_onnx(every_kind())).metadata_props


def test_missing_weights_are_named() -> None:
    weights = fold(Network(every_kind()))
    del weights["se.up.bias"]
    with pytest.raises(InputError, match=r"lack 'se\.up\.bias' \(16,\)"):
        write_onnx(every_kind(), weights)


def test_weights_of_another_architecture_are_refused() -> None:
    with pytest.raises(InputError, match=r"'dilated\.weight' have shape \(12, 8, 3, 1\), the architecture needs \(16"):
        write_onnx(every_kind(mid=16), fold(Network(every_kind(mid=12))))


def test_the_output_is_named_whatever_the_last_layer_is_called() -> None:
    layers = (Layer(name="fc", kind=Kind.LINEAR, inputs=(IMAGE,), width=CLASSES),)
    arch = Arch(layers=layers, widths={IMAGE: 1, CLASSES: 3}, size_px=2)
    assert difference(randomised(arch)) <= 1e-6
