"""Random networks of both presets: sliced = supernet exactly, MACs = torch's flop counter, ONNX parity; by hand.

    python scripts/check_exactness.py [--archs 100] [--json FILE]

About four minutes on two cores. Exit code 1 when anything differs.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from nas._config.compose import compose
from nas.arch import IMAGE, Arch, cost
from nas.config import load
from nas.deploy.export import compare
from nas.formats.onnx import write_onnx
from nas.latency.runtimes import Runtime, make_runtime
from nas.net import Supernet, fold, given, slice_network
from nas.space import SearchSpace, uniform
from nas.training import recalibrate

PRESETS = {"mobilenet_v3_28px": (1, 10), "mobilenet_v3_224px": (3, 1000), "mixed_28px": (1, 10)}
IMAGES = 2


def check(space: SearchSpace, runtime: Runtime, archs: int) -> dict[str, Any]:
    """Largest differences found over random networks of a space."""
    supernet, rng = Supernet.of(space, seed=0), random.Random(0)
    slice_difference = macs_differ = 0.0
    logit_difference, agreement = 0.0, 1.0
    for _ in range(archs):
        arch = space.build(uniform(rng))
        x = images_for(arch)
        stats = recalibrate(supernet, arch, x)
        network = slice_network(supernet, arch, stats)
        with torch.inference_mode():
            slice_difference = max(slice_difference, float((supernet(x, arch, given(stats)) - network(x)).abs().max()))
        macs_differ += counted_macs(network, x[:1]) != cost(arch).macs
        logits = runtime.infer(write_onnx(arch, fold(network)), x.numpy())
        parity = compare(network, logits, x.numpy())
        logit_difference = max(logit_difference, parity.max_abs_difference)
        agreement = min(agreement, parity.top1_agreement)
    return {
        "archs": archs,
        "supernet_slice_max_difference": slice_difference,
        "macs_that_differ": int(macs_differ),
        "onnx_max_difference": logit_difference,
        "onnx_least_agreement": agreement,
    }


def images_for(arch: Arch) -> torch.Tensor:
    """Normal noise of the network's input size (n, c, px, px)."""
    shape = (IMAGES, arch.widths[IMAGE], arch.size_px, arch.size_px)
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))


def counted_macs(network: torch.nn.Module, x: torch.Tensor) -> int:
    """Multiply-accumulates of one image by torch's own counter."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(x)
    return int(counter.get_total_flops()) // 2


def main() -> None:
    """Check both presets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archs", type=int, default=100)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result = {}
    for preset, (channels, classes) in PRESETS.items():
        (settings,) = load(compose(["+target=intel_cpu", f"space={preset}"]))
        space = settings.make_space(image_channels=channels, classes=classes)
        result[preset] = check(space, make_runtime(settings.target), arguments.archs)
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")
    exact = all(
        found["supernet_slice_max_difference"] == 0
        and found["macs_that_differ"] == 0
        and found["onnx_max_difference"] <= 1e-4
        and found["onnx_least_agreement"] == 1
        for found in result.values()
    )
    sys.exit(0 if exact else 1)


if __name__ == "__main__":
    main()
