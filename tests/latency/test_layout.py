"""Where tensors are rearranged: checked against what ONNX Runtime's own profile shows."""

from __future__ import annotations

import random

import pytest

from nas.arch import IMAGE, Act, Arch, Builder
from nas.latency.kernels import fused_kernels
from nas.latency.probes import Vocabulary
from nas.latency.runtimes.machine import block_channels
from nas.latency.runtimes.onnxruntime import OnnxRuntime
from nas.space import largest, smallest, uniform
from nas.target import Target

TARGET = Target(name="intel_cpu", runtime="onnxruntime")


def split_unit(channels: int) -> Arch:
    """A unit like ShuffleNetV2's."""
    net = Builder(size_px=8, image_channels=3)
    half = net.width("half", channels // 2)
    x = net.conv("stem", IMAGE, net.width("stem", channels), kernel=3)
    left, right = net.slice("left", x, half), net.slice("right", x, half, skip=(half,))
    right = net.conv("conv", right, half, act=Act.RELU)
    x = net.shuffle("shuffle", net.concat("concat", left, right), groups=2)
    return net.classify(net.pool("pool", net.conv("head", x, net.width("head", 32))), classes=4)


def keys(arch: Arch, block: int = 16) -> list[str]:
    return [kernel.key for kernel in fused_kernels(arch, block=block)]


def test_slices_and_shuffles_leave_the_blocked_layout_and_come_back() -> None:
    found = keys(split_unit(64))
    assert found[1:5] == ["to_plain 64 8px", "slice 64 8px x2", "to_blocked 32 8px", "conv 32 8px k1 relu"]
    assert "to_plain 32 8px" in found
    assert "to_blocked 64 8px" in found
    assert "concat 64 8px x2 plain" in found


def test_uneven_channels_stay_plain() -> None:
    found = keys(split_unit(60))  # halves of 30 channels
    assert "conv 30 8px k1 plain relu" in found
    assert "to_blocked 30 8px" not in found


def test_groups_of_whole_blocks_stay_blocked() -> None:
    def grouped(width: int) -> Arch:
        net = Builder(size_px=8, image_channels=3)
        x = net.conv("stem", IMAGE, net.width("w", width), kernel=3)
        x = net.conv("grouped", x, net.width("g", width), groups=2)
        return net.classify(net.pool("pool", net.conv("last", x, net.width("l", 32))), classes=4)

    assert not any(key.startswith("to_") for key in keys(grouped(64)))
    assert keys(grouped(48))[1:4] == ["to_plain 48 8px", "conv 48 8px k1 g2 plain", "to_blocked 48 8px"]
    assert not any(key.startswith("to_") for key in keys(grouped(48), block=8))


def test_a_chain_of_convolutions_rearranges_nothing() -> None:
    net = Builder(size_px=8, image_channels=3)
    x = net.conv("stem", IMAGE, net.width("w", 32), kernel=3)
    y = net.conv("b", net.depthwise("dw", x, kernel=3), "w")
    arch = net.classify(net.pool("pool", net.residual("sum", x, y)), classes=4)
    assert keys(arch)[:4] == ["conv 3>32 8px k3", "dw 32 8px k3", "conv 32 8px k1 +sum", "global_pool 32 8px"]


@pytest.mark.parametrize("seed", range(3))
def test_the_profile_shows_every_change_that_is_expected(seed: int) -> None:
    arch = Vocabulary(classes=10).build(uniform(random.Random(seed)))
    profile = OnnxRuntime(TARGET).profile(OnnxRuntime(TARGET).write(arch), arch, runs=2)
    kernels = fused_kernels(arch, block=block_channels())
    changes = [kernel for kernel in kernels if kernel.key.startswith("to_")]
    seen = [kernel for kernel in changes if profile.get(kernel.layers[0])]
    assert len(seen) >= 0.9 * len(changes)


def test_probes_are_networks() -> None:
    space = Vocabulary(classes=10)
    for choose in (smallest, largest, *(uniform(random.Random(seed)) for seed in range(20))):
        assert space.build(choose).classes == 10
    assert space.known() == ()
