"""The channel grain is read off times; on a simulated machine it is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas.latency import grain
from nas.latency.grain import GRAINS, WIDTHS, find_grain, grain_of, probe
from nas.latency.kernels import fused_kernels
from nas.progress import silent
from nas.target import Target
from tests.latency.simulated import GRAIN, Machine


def times_us(channels: int, *, penalty: float = 1.0, noise: float = 0.0) -> np.ndarray:
    """Times that follow whole grains; counts that are no multiple take `penalty` times as long."""
    rng = np.random.default_rng(0)
    return np.array(
        [
            (50 + -(-width // channels) * channels)
            * (penalty if width % channels else 1.0)
            * (1 + noise * rng.uniform(-1, 1))
            for width in WIDTHS
        ]
    )


@pytest.mark.parametrize("channels", [4, 8, 16, 32])
@pytest.mark.parametrize(("penalty", "noise"), [(1.0, 0.0), (1.0, 0.01), (1.3, 0.01), (9.0, 0.0)])
def test_the_grain_of_times_in_whole_grains(channels: int, penalty: float, noise: float) -> None:
    found = grain_of(WIDTHS, times_us(channels, penalty=penalty, noise=noise))
    assert found.channels == channels
    assert found.cost == pytest.approx(penalty, rel=0.03)


def test_times_that_grow_with_every_channel_have_none_that_matters() -> None:
    found = grain_of(WIDTHS, np.array([float(width) for width in WIDTHS]))
    assert found.channels <= min(GRAINS)
    assert found.cost <= 1.0


def test_the_grain_of_a_machine(monkeypatch: pytest.MonkeyPatch, target: Target, tmp_path: Path) -> None:
    machine = Machine()
    monkeypatch.setattr(grain, "measure_networks", machine)
    found = find_grain(target, seed=1, progress=silent, folder=tmp_path)
    assert found.channels == GRAIN
    assert 0.9 < found.cost < 1.2  # other widths leave the blocked layout: tensors are rearranged, a tenth of the time
    assert machine.folders == [tmp_path]
    assert len(machine.sessions[0]) == len(WIDTHS)


def test_probes_differ_in_their_inner_width_alone() -> None:
    keys = [[kernel.key.replace(str(width), "W") for kernel in fused_kernels(probe(width))] for width in (66, 90)]
    assert keys[0] == keys[1]
    assert any("32>W" in key for key in keys[0])
