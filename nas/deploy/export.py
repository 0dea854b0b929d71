"""Export a trained network as ONNX, or nothing: a file is written only when the runtime computes what torch does."""

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
from nas.formats.onnx import write_onnx
from nas.latency.runtimes import Runtime
from nas.net import Network, fold

MAX_ABS_DIFFERENCE = 1e-4
LEAST_AGREEMENT = 0.999


@dataclass(frozen=True, kw_only=True, slots=True)
class Parity:
    """How close the exported file is to the network it was made from, on real inputs.

    Attributes:
        max_abs_difference: Largest difference of a logit.
        top1_agreement: Share of images with the same most likely class.
        images: Number of images compared.
    """

    max_abs_difference: float
    top1_agreement: float
    images: int

    @property
    def holds(self) -> bool:
        """Whether the file may be handed over."""
        return self.max_abs_difference <= MAX_ABS_DIFFERENCE and self.top1_agreement >= LEAST_AGREEMENT


def export_onnx(
    network: Network,
    path: Path,
    *,
    runtime: Runtime,
    images: NDArray[np.float32],
    batch: int,
    metadata: Mapping[str, str],
) -> Parity:
    """Write a network as ONNX after checking the file and its outputs.

    Args:
        network: Trained, on the CPU.
        path: Where the file goes.
        runtime: Runs the file for the comparison.
        images: Real, normalised inputs (n, c, h, w).
        batch: Images a run, fixed in the file.
        metadata: Strings stored in the file.

    Raises:
        DeviceError: The file's outputs differ from the network's; no file is written.
        StorageError: The file cannot be written.
    """
    content = write_onnx(network.arch, fold(network), batch=batch, metadata=metadata)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    parity = compare(network, runtime.infer(content, images), images)
    if not parity.holds:
        raise DeviceError(
            f"{path} was not written: on {parity.images} images its logits differ by up to "
            f"{parity.max_abs_difference:.2g} (allowed {MAX_ABS_DIFFERENCE:g}) and {parity.top1_agreement:.2%} of the "
            f"classes agree (needed {LEAST_AGREEMENT:.1%}); please report it with the run's arch file"
        )
    write_whole(path, content)
    return parity


def compare(network: Network, logits: NDArray[np.float32], images: NDArray[np.float32]) -> Parity:
    """Compare a runtime's logits (n, classes) with the network's own on images (n, c, h, w)."""
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(images)).numpy()
    return Parity(
        max_abs_difference=float(np.abs(expected - logits).max()),
        top1_agreement=float((expected.argmax(axis=1) == logits.argmax(axis=1)).mean()),
        images=len(images),
    )
