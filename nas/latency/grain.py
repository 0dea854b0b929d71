"""The channel grain of a target, found by measuring: runtimes compute channels in whole vectors.

The probes are one small network whose inner width alone differs. A count that is no multiple of the grain takes as long
as the next multiple, or longer where the runtime leaves its fast layout (FINDINGS.md section 6: up to 10 times).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.arch import IMAGE, Act, Arch, Builder
from nas.latency.session import measure_networks
from nas.latency.table import Grain
from nas.progress import Progress
from nas.target import Target

GRAINS = (4, 8, 16, 32)
WIDTHS = (*range(64, 97, 4), 66, 90)  # the last two are multiples of no grain
EQUAL = 0.03  # relative difference below which two times are one
SIZE_PX, OUTER, BLOCKS, ROUNDS = 28, 32, 3, 60


def find_grain(target: Target, *, seed: int, progress: Progress, folder: Path | None = None) -> Grain:
    """Measure the grain of a target on this machine.

    Args:
        target: Device and runtime.
        seed: Of the rounds' order.
        progress: Told as measuring advances.
        folder: Where findings are kept as they are made.

    Raises:
        DeviceError: Measuring failed.
    """
    archs = [probe(width) for width in WIDTHS]
    measured = measure_networks(target, archs, rounds=ROUNDS, seed=seed, progress=progress, folder=folder)
    return grain_of(WIDTHS, np.quantile(measured.samples_us, 0.25, axis=1))


def probe(width: int) -> Arch:
    """A network of inverted residuals with one inner width."""
    net = Builder(size_px=SIZE_PX, image_channels=3)
    outer, inner = net.width("outer", OUTER), net.width("inner", width)
    x = net.conv("stem", IMAGE, outer, kernel=3, act=Act.RELU)
    for i in range(BLOCKS):
        y = net.conv(f"b{i}.expand", x, inner, act=Act.RELU)
        y = net.depthwise(f"b{i}.depthwise", y, kernel=3, act=Act.RELU)
        x = net.residual(f"b{i}.sum", x, net.conv(f"b{i}.project", y, outer))
    return net.classify(net.pool("pool", x), classes=10)


def grain_of(widths: Sequence[int], us: NDArray[np.float64]) -> Grain:
    """The largest grain between whose multiples fewer channels are not faster, from times of equal networks, (n,).

    >>> grain_of([64, 68, 72, 80], np.array([64.0, 72.0, 72.0, 80.0])).channels
    8
    """
    time_us = dict(zip(widths, us.tolist(), strict=True))
    kept = [grain for grain in GRAINS if min(_ratios(time_us, grain), default=0.0) >= 1 - EQUAL]
    channels = max(kept, default=1)
    return Grain(channels=channels, cost=max(_ratios(time_us, channels), default=1.0))


def _ratios(time_us: dict[int, float], grain: int) -> list[float]:
    """Time at each width that is no multiple over the time at the next multiple, where that was measured."""
    return [
        us / time_us[-(-width // grain) * grain]
        for width, us in time_us.items()
        if width % grain and -(-width // grain) * grain in time_us
    ]
