"""Export a trained network as ONNX, or nothing: a file is written only when the runtime computes what torch does.

In float that means the same logits; in eight bits, which moves every logit, the same accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from nas.errors import DeviceError
from nas.files import write_whole
from nas.formats.calibration import calibrate
from nas.formats.int8 import quantise
from nas.formats.onnx import onnx_model
from nas.latency.runtimes import Runtime
from nas.net import Network, fold

MAX_ABS_DIFFERENCE = 1e-4
LEAST_AGREEMENT = 0.999
MOST_ACCURACY_LOST = 0.01  # share of images, in eight bits


@dataclass(frozen=True, kw_only=True, slots=True)
class Parity:
    """How close the exported file is to the network it was made from, on real inputs.

    Attributes:
        max_abs_difference: Largest difference of a logit.
        top1_agreement: Share of images with the same most likely class.
        images: Number of images compared.
        accuracy_lost: Share of images that only the network, less those that only the file classifies rightly; None
            for a file in float.
    """

    max_abs_difference: float
    top1_agreement: float
    images: int
    accuracy_lost: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the file may be handed over."""
        if self.accuracy_lost is not None:
            return self.accuracy_lost <= MOST_ACCURACY_LOST
        return self.max_abs_difference <= MAX_ABS_DIFFERENCE and self.top1_agreement >= LEAST_AGREEMENT

    def __str__(self) -> str:
        """What was found and what is allowed, on one line."""
        agreement = f"{self.top1_agreement:.2%} of the classes agree"
        if self.accuracy_lost is not None:
            relation = "above" if self.accuracy_lost < 0 else "below"
            return (
                f"on {self.images:,} images the accuracy in eight bits is {100 * abs(self.accuracy_lost):.2f} points "
                f"{relation} that in float (allowed {100 * MOST_ACCURACY_LOST:g} below) and {agreement}"
            )
        return (
            f"on {self.images:,} images its logits differ by up to {self.max_abs_difference:.2g} (allowed "
            f"{MAX_ABS_DIFFERENCE:g}) and {agreement} (needed {LEAST_AGREEMENT:.1%})"
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Int8:
    """What a file in eight bits needs besides the network.

    Attributes:
        calibration: Real, normalised inputs (n, c, h, w) that the tensors' ranges are measured on; not the ones that
            are compared.
        labels: Right classes of the images compared.
    """

    calibration: NDArray[np.float32]
    labels: NDArray[np.int64]


def export_onnx(
    network: Network,
    path: Path,
    *,
    runtime: Runtime,
    images: NDArray[np.float32],
    batch: int,
    metadata: Mapping[str, str],
    int8: Int8 | None = None,
) -> Parity:
    """Write a network as ONNX after checking the file and its outputs.

    Args:
        network: Trained, on the CPU.
        path: Where the file goes.
        runtime: Runs the file for the comparison.
        images: Real, normalised inputs (n, c, h, w).
        batch: Images a run, fixed in the file.
        metadata: Strings stored in the file.
        int8: Write it in eight bits; None: in float.

    Raises:
        DeviceError: The file's outputs, or in eight bits its accuracy, differ from the network's; no file is written.
        StorageError: The file cannot be written.
    """
    model = onnx_model(network.arch, fold(network), batch=batch, metadata=metadata)
    if int8 is not None:
        model = quantise(model, calibrate(model, int8.calibration, runtime.infer))
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    parity = compare(network, runtime.infer(content, images), images, labels=int8.labels if int8 else None)
    if not parity.holds:
        remedy = "choose target.precision=fp32" if int8 else "please report it with the run's arch file"
        raise DeviceError(f"{path} was not written: {parity}; {remedy}")
    write_whole(path, content)
    return parity


def compare(
    network: Network,
    logits: NDArray[np.float32],
    images: NDArray[np.float32],
    *,
    labels: NDArray[np.int64] | None = None,
) -> Parity:
    """Compare a runtime's logits (n, classes) with the network's own on images (n, c, h, w).

    Args:
        network: On the CPU.
        logits: Of the file.
        images: Real, normalised inputs.
        labels: Right classes (n,) of a file in eight bits; None for one in float.
    """
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(images)).numpy()
    wanted, found = expected.argmax(axis=1), logits.argmax(axis=1)
    return Parity(
        max_abs_difference=float(np.abs(expected - logits).max()),
        top1_agreement=float((wanted == found).mean()),
        images=len(images),
        accuracy_lost=None if labels is None else float((wanted == labels).mean() - (found == labels).mean()),
    )
