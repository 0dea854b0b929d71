"""A run's export: the images that its file must agree on and, in eight bits, those that ranges are measured on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from nas.data import MemorySplit, spread, subset, to_input
from nas.deploy import Int8, Parity, export_onnx
from nas.latency.runtimes import make_runtime
from nas.net import Network
from nas.pipeline.context import Context

PARITY_IMAGES = 1000
CALIBRATION_IMAGES = 512


def exported(ctx: Context, network: Network, metadata: Mapping[str, str]) -> Parity:
    """Stage `export`: the ONNX file in the target's precision, behind its parity gate.

    Args:
        ctx: The run.
        network: Trained, on the CPU.
        metadata: Strings stored in the file.

    Raises:
        DeviceError: The file does not do what the network does; none is written.
    """
    target, size_px = ctx.settings.target, network.arch.size_px
    (test, train) = (
        subset(split, spread(split, count))
        for split, count in ((ctx.dataset.test, PARITY_IMAGES), (ctx.dataset.train, CALIBRATION_IMAGES))
    )
    in_int8 = target.precision == "int8"
    with ctx.run.timed("export", ctx.progress):
        return export_onnx(
            network,
            ctx.run.onnx,
            runtime=make_runtime(target),
            images=_inputs(ctx, test, size_px),
            batch=target.batch,
            metadata=metadata,
            int8=Int8(calibration=_inputs(ctx, train, size_px), labels=test.labels) if in_int8 else None,
        )


def _inputs(ctx: Context, split: MemorySplit, size_px: int) -> NDArray[np.float32]:
    """Images as a network reads them: (n, c, size_px, size_px), contiguous."""
    x = to_input(torch.from_numpy(split.images), ctx.dataset, size_px=size_px).contiguous().numpy()
    return x.astype(np.float32, copy=False)
