"""A file is handed over only when it computes what the network computes."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from nas.arch import IMAGE
from nas.deploy import Int8, Parity, export, export_onnx
from nas.errors import DeviceError, StorageError
from nas.latency.runtimes import Runtime, make_runtime
from nas.net import Network, fold
from nas.space import uniform
from nas.target import Target
from tests.net.zoo import SPACE


@pytest.fixture
def network() -> Network:
    """A network whose running statistics are those of noise."""
    network = Network(SPACE.build(uniform(random.Random(1))))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _ in range(20):
            network.train()(torch.randn(8, 1, network.arch.size_px, network.arch.size_px, generator=generator))
    return network.eval()


@pytest.fixture
def images(network: Network) -> np.ndarray:
    shape = (31, network.arch.widths[IMAGE], network.arch.size_px, network.arch.size_px)
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


@pytest.fixture
def runtime() -> Runtime:
    return make_runtime(Target(name="intel_cpu", runtime="onnxruntime"))


def write(network: Network, path: Path, runtime: Runtime, images: np.ndarray, **options: object) -> Parity:
    return export_onnx(network, path, runtime=runtime, images=images, **{"batch": 1, "metadata": {}, **options})


def test_the_file_computes_what_the_network_does(network: Network, images, runtime, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "model.onnx"
    parity = write(network, path, runtime, images, metadata={"classes": "a,b", "predicted_ms": "0.3"})
    assert parity.holds
    assert (parity.images, parity.top1_agreement) == (31, 1.0)
    assert 0 < parity.max_abs_difference <= 1e-4
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {item.key: item.value for item in model.metadata_props} == {"classes": "a,b", "predicted_ms": "0.3"}
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(runtime.infer(path.read_bytes(), images), expected, atol=1e-4)


def test_a_file_of_larger_batch(network: Network, images, tmp_path: Path) -> None:
    runtime = make_runtime(Target(name="intel_cpu", runtime="onnxruntime", batch=4))
    assert write(network, tmp_path / "model.onnx", runtime, images, batch=4).images == 31


def test_altered_weights_are_refused_and_no_file_is_left(
    network: Network, images, runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fold_wrongly(network: Network) -> dict[str, np.ndarray]:
        return {**(weights := fold(network)), "classifier.bias": weights["classifier.bias"] + np.float32(0.01)}

    monkeypatch.setattr(export, "fold", fold_wrongly)
    with pytest.raises(DeviceError, match=r"was not written: on 31 images its logits differ by up to 0\.01 \(allowed"):
        write(network, tmp_path / "model.onnx", runtime, images)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_export_keeps_the_file_of_before(
    network: Network, images, runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(network, tmp_path / "model.onnx", runtime, images)
    before = (tmp_path / "model.onnx").read_bytes()
    monkeypatch.setattr(export, "MAX_ABS_DIFFERENCE", 0.0)
    with pytest.raises(DeviceError, match="was not written"):
        write(network, tmp_path / "model.onnx", runtime, images)
    assert (tmp_path / "model.onnx").read_bytes() == before


def test_a_file_that_cannot_be_written_is_a_storage_error(network: Network, images, runtime, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write(network, tmp_path / "file" / "model.onnx", runtime, images)


@pytest.mark.parametrize(
    ("difference", "agreement", "holds"),
    [(1e-4, 0.999, True), (1.1e-4, 1.0, False), (0.0, 0.998, False), (float("nan"), 1.0, False)],
)
def test_the_gate(difference: float, agreement: float, holds: bool) -> None:
    assert Parity(max_abs_difference=difference, top1_agreement=agreement, images=1000).holds is holds


@pytest.fixture
def labels(network: Network, images) -> np.ndarray:
    """Classes that the network gets right on three images of four."""
    with torch.inference_mode():
        found = network(torch.from_numpy(images)).numpy().argmax(axis=1)
    return np.where(np.arange(len(found)) % 4 == 0, (found + 1) % network.arch.classes, found)


def test_a_file_in_eight_bits_is_compared_by_its_accuracy(
    network, images, labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = make_runtime(Target(name="intel_cpu", runtime="onnxruntime", precision="int8", batch=4))
    path, eight_bits = tmp_path / "model.onnx", Int8(calibration=images + np.float32(0.01), labels=labels)
    monkeypatch.setattr(export, "MOST_ACCURACY_LOST", 1.0)  # random weights decide by a hair
    parity = write(network, path, runtime, images, batch=4, int8=eight_bits, metadata={"classes": "a,b"})
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert "DequantizeLinear" in {node.op_type for node in model.graph.node}
    assert {item.key: item.value for item in model.metadata_props} == {"classes": "a,b"}
    logits = runtime.infer(path.read_bytes(), images)
    right = (logits.argmax(axis=1) == labels).mean()
    assert parity.accuracy_lost == pytest.approx(1 - (np.arange(31) % 4 == 0).mean() - right)


def test_a_file_in_eight_bits_that_loses_accuracy_is_refused(network, images, labels, runtime, tmp_path: Path) -> None:
    eight_bits = Int8(calibration=np.zeros_like(images[:2]), labels=labels)  # ranges of nothing
    with pytest.raises(DeviceError, match=r"accuracy in eight bits is [\d.]+ points below .*target\.precision=fp32"):
        write(network, tmp_path / "model.onnx", runtime, images, int8=eight_bits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("lost", "holds"), [(-0.01, True), (0.01, True), (0.011, False)])
def test_the_gate_in_eight_bits(lost: float, holds: bool) -> None:
    assert Parity(max_abs_difference=3.0, top1_agreement=0.9, images=1000, accuracy_lost=lost).holds is holds


def test_parity_says_what_was_found_and_what_is_allowed() -> None:
    parity = Parity(max_abs_difference=2e-6, top1_agreement=1.0, images=1000)
    assert str(parity) == (
        "on 1,000 images its logits differ by up to 2e-06 (allowed 0.0001) and 100.00% of the classes agree "
        "(needed 99.9%)"
    )
    lost, gained = (str(dataclasses.replace(parity, accuracy_lost=share)) for share in (0.002, -0.002))
    assert "is 0.20 points below that in float (allowed 1 below)" in lost
    assert "is 0.20 points above that in float" in gained


def test_agreement_is_the_share_of_equal_classes(network: Network, images) -> None:
    with torch.inference_mode():
        logits = network(torch.from_numpy(images)).numpy().copy()
    order = np.argsort(logits[0])
    logits[0, order[0]] = logits[0, order[-1]] + 1
    parity = export.compare(network, logits, images)
    assert parity.top1_agreement == pytest.approx(30 / 31)
    assert not parity.holds
