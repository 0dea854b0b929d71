"""A file is handed over only when it computes what the network computes."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from nas.arch import IMAGE
from nas.deploy import Parity, export, export_onnx
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


def test_agreement_is_the_share_of_equal_classes(network: Network, images) -> None:
    with torch.inference_mode():
        logits = network(torch.from_numpy(images)).numpy().copy()
    order = np.argsort(logits[0])
    logits[0, order[0]] = logits[0, order[-1]] + 1
    parity = export.compare(network, logits, images)
    assert parity.top1_agreement == pytest.approx(30 / 31)
    assert not parity.holds
