"""Ranges are those of the float network's own tensors on the images given."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from nas.arch import IMAGE
from nas.formats.calibration import calibrate
from nas.formats.int8 import quantised_tensors
from nas.formats.onnx import INPUT, OUTPUT, onnx_model
from tests.net.zoo import every_kind


def infer(model: bytes, images: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run([OUTPUT], {INPUT: image[None]})[0] for image in images])


@pytest.fixture
def images() -> np.ndarray:
    arch = every_kind()
    return np.random.default_rng(1).standard_normal((6, arch.widths[IMAGE], 16, 16), dtype=np.float32)


def test_a_range_is_the_mean_of_the_images_extremes(images: np.ndarray) -> None:
    ranges = calibrate(onnx_model(every_kind()), images, infer)
    flat = images.reshape(len(images), -1)
    assert ranges[INPUT] == pytest.approx((flat.min(axis=1).mean(), flat.max(axis=1).mean()))


def test_every_tensor_has_a_range_that_its_activation_allows(images: np.ndarray) -> None:
    model = onnx_model(every_kind())
    ranges = calibrate(model, images, infer)
    assert list(ranges) == quantised_tensors(model)
    assert all(low <= high for low, high in ranges.values())
    assert ranges["stem"][0] >= 0
    assert 6 >= ranges["stem"][1] > 0
    assert ranges["act"][0] > 0
    assert ranges["act"][1] <= 1


def test_the_model_is_left_as_it_is(images: np.ndarray) -> None:
    model = onnx_model(every_kind())
    before = model.SerializeToString()
    calibrate(model, images, infer)
    assert model.SerializeToString() == before
    onnx.checker.check_model(model, full_check=True)
