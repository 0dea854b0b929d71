"""Every hand-designed network: it builds, counts, runs, is trimmed, is exported with equal outputs, and is priced.

One test a network, at the least image size that it takes and with few classes: the whole file in three minutes on one
core. Counts are those of 224 px and 1,000 classes.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import math
import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from nas.arch import CLASSES, IMAGE, Arch, cost
from nas.errors import InputError
from nas.formats.onnx import INPUT, OUTPUT, write_onnx
from nas.latency.kernels import fused_kernels
from nas.latency.model import LatencyModel
from nas.latency.probes import Vocabulary
from nas.net import Collector, Network, fold, network_of, run, slice_weights
from nas.netadapt.moves import shrink, trimmable
from nas.space import uniform
from search_spaces.catalogue import MEMBERS, NETWORKS
from tests.latency.conftest import row, table
from tests.latency.simulated import true_us

REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "zoo_reference.csv"
NOT_OURS = {"fbnet_c", "spnasnet", "mixnet_s", "mixnet_m", "mixnet_l", "rexnet_1.0"}  # issue 7 does not ask for them
SIZES_PX = (64, 75, 96, 128, 160, 192, 224, 32, 28)
CLASSES_HERE = 7
GRAIN = 8
PARITY = 1e-4
PROBES = 400


def reference() -> dict[str, tuple[int, int]]:
    """Parameters and MACs by name, where they are known exactly; empty where the file is not."""
    if not REFERENCE.exists():
        return {}
    with REFERENCE.open(encoding="utf-8", newline="") as file:
        rows = [found for found in csv.DictReader(file) if found["params_exact"]]
    return {found["name"]: (int(found["params_exact"]), int(found["macs_conv_linear_224"])) for found in rows}


EXACT = reference()


@pytest.fixture(scope="module")
def model() -> LatencyModel:
    """Made-up times of probe networks' kernels alone: no row was made for any network of the catalogue."""
    rng = random.Random(0)
    probes = [Vocabulary().build(uniform(rng)) for _ in range(PROBES)]
    keys = sorted({kernel.key for probe in probes for kernel in fused_kernels(probe)})
    blank = dataclasses.replace(table.__wrapped__(), rows={}, refused={})
    return knowing(LatencyModel(table=blank, scale=1.0, kernels=fused_kernels), keys)


def knowing(model: LatencyModel, keys: Iterable[str]) -> LatencyModel:
    """The model with rows of more kernels, as the target measures them on demand."""
    rows = {key: row(round(true_us(key), 4), networks=9) for key in keys}
    known = dataclasses.replace(model.table, rows={**model.table.rows, **rows})
    return dataclasses.replace(model, table=known) if rows else model


def smallest(name: str) -> Arch:
    """A network at the least size that it takes."""
    for size_px in SIZES_PX:
        with contextlib.suppress(InputError):
            return NETWORKS[name](size_px=size_px, classes=CLASSES_HERE)
    raise AssertionError(f"{name} takes no image of {SIZES_PX}")


def lively(arch: Arch) -> Network:
    """A network with random weights, scales and shifts, whose logits are about 1.

    Its variances are the mean squares of what a few images give: a variance near zero, as on a map of one pixel, would
    make rounding errors large, and random statistics make logits of any size.
    """
    network, generator = Network(arch).eval(), torch.Generator().manual_seed(0)
    collector = Collector()
    with torch.inference_mode():
        for name, tensor in network.tensors().items():
            if name.endswith(".gamma"):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            elif name.endswith((".beta", ".bias")):
                tensor.copy_(0.2 * torch.randn(tensor.shape, generator=generator))
        run(arch, network.tensors(), torch.from_numpy(images(arch, n=4)), collector)
        network.set_stats({name: (mean, var + mean**2 + 1e-3) for name, (mean, var) in collector.stats().items()})
    return network


def images(arch: Arch, *, n: int = 1) -> np.ndarray:
    shape = (n, arch.widths[IMAGE], arch.size_px, arch.size_px)
    return np.random.default_rng(n).standard_normal(shape, dtype=np.float32)


def outputs(network: Network, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(x)).numpy()


def exported(network: Network, x: np.ndarray) -> np.ndarray:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    content = write_onnx(network.arch, fold(network))
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run([OUTPUT], {INPUT: x})[0]


def trimmed(arch: Arch) -> Arch:
    """One step of trimming: the first width from the middle on that can shrink."""
    widths = trimmable(arch)
    for width in (*widths[len(widths) // 2 :], *widths):
        for channels in range((arch.widths[width] - 1) // GRAIN * GRAIN, 0, -GRAIN):
            with contextlib.suppress(InputError):
                return shrink(arch, arch, width, channels, grain=GRAIN)
    raise AssertionError(f"none of {widths} can shrink")


@pytest.mark.parametrize("name", MEMBERS)
def test_a_network_of_the_catalogue(name: str, model: LatencyModel) -> None:
    designed = NETWORKS[name]()
    if name in EXACT:
        found = cost(designed)
        assert (found.params, found.macs) == EXACT[name]

    network = lively(smallest(name))
    x = images(network.arch)
    logits = outputs(network, x)
    assert logits.shape == (1, CLASSES_HERE)
    assert np.isfinite(logits).all()
    assert np.ptp(logits) > 0
    assert np.abs(exported(network, x) - logits).max() <= PARITY * max(1, np.abs(logits).max())

    narrower = trimmed(network.arch)
    assert cost(narrower).params < cost(network.arch).params
    kept = network_of(narrower, slice_weights(network.arch, network.tensors(), narrower)).eval()
    assert outputs(kept, x).shape == logits.shape

    assert 0 < knowing(model, model.missing([designed])).arch_ms(designed) < math.inf


def test_most_networks_are_priced_without_a_row_made_for_them(model: LatencyModel) -> None:
    unknown = [name for name, make in MEMBERS.items() if model.missing([make()])]
    assert len(unknown) <= len(MEMBERS) / 6, unknown


@pytest.mark.skipif(not EXACT, reason=f"{REFERENCE} is not there: counts are not compared")
def test_the_catalogue_has_every_network_of_the_reference() -> None:
    assert set(EXACT) - NOT_OURS - set(NETWORKS) == set()


@pytest.mark.parametrize("name", MEMBERS)
def test_names_and_inputs(name: str) -> None:
    arch = smallest(name)
    assert arch.widths[CLASSES] == arch.classes == CLASSES_HERE
    assert NETWORKS[name](size_px=arch.size_px, classes=2, image_channels=1).widths[IMAGE] == 1


@pytest.mark.parametrize("name", MEMBERS)
def test_an_image_that_is_too_small_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        NETWORKS[name](size_px=1)
