"""What breaking ShuffleNetV2's guidelines costs, by prices of a machine that is made up."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from nas.arch import IMAGE, Act, Arch, Builder, cost
from nas.latency.context import in_context
from nas.latency.experiments import _BLOCKS, _COMPARED, _ENTRIES, WIDTH, _stack
from nas.latency.guidelines import LABELS, by_kind, findings
from nas.latency.kernels import fused_kernels
from nas.latency.similar import signature


def price(keys: Sequence[str]) -> list[float]:
    """Milliseconds: work, twice as much where groups are, and one for each word of a finish."""
    found = []
    for key in keys:
        said = signature(key)
        work = said.channels[0] * said.channels[1] * said.window * said.px**2 / said.parts / 1e4
        found.append(work * (2 if said.parts > 1 else 1) + len(said.finish.split()) + 1)
    return found


def network(*, mid: int = 32, groups: int = 1, act: Act = Act.IDENTITY, branches: int = 1) -> Arch:
    net = Builder(size_px=8, image_channels=3)
    x = net.conv("stem", IMAGE, net.width("stem", 32), kernel=3)
    x = net.conv("in", x, net.width("mid", mid), act=act, groups=groups)
    parts = [net.conv(f"out{i}", x, net.width(f"out{i}", 32 // branches), groups=groups) for i in range(branches)]
    x = net.concat("concat", *parts) if branches > 1 else parts[0]
    return net.classify(net.pool("pool", x), classes=4)


def cost_of(guideline: str, arch: Arch) -> float:
    found = findings(arch, fused_kernels(arch, block=16), price, call_ms=0.5)
    assert [item.guideline for item in found] == list(LABELS)
    return next(item.ms for item in found if item.guideline == guideline)


def test_a_network_that_keeps_them_costs_nothing() -> None:
    assert [cost_of(label, network()) for label in LABELS] == pytest.approx([0.0] * 5, abs=0.1)


def test_group_convolution() -> None:
    assert cost_of("group convolution", network(groups=2, mid=64)) > 1


def test_element_wise_work() -> None:
    assert cost_of("element-wise work", network(act=Act.RELU)) == pytest.approx(1.0)


def test_fragmentation_counts_convolutions_beside_the_longest_path() -> None:
    assert cost_of("fragmentation", network(branches=2)) > 0.5


def test_layout_changes_are_told() -> None:
    assert cost_of("layout changes", network(groups=4)) > 0


def test_kinds_sum_to_the_whole() -> None:
    kernels = fused_kernels(network(groups=2), block=16)
    ms = price([kernel.key for kernel in kernels])
    assert sum(by_kind(kernels, ms).values()) == pytest.approx(sum(ms))
    assert "group conv" in by_kind(kernels, ms)


def test_experiments_compare_networks_of_equal_macs() -> None:
    macs = {name: cost(_stack(block, _ENTRIES.get(name, WIDTH))).macs for name, block in _BLOCKS.items()}
    for name, (guideline, _, reference) in _COMPARED.items():
        assert guideline in LABELS
        assert macs[name] == pytest.approx(macs[reference], rel=0.02), name


def test_linear_layers_carry_the_traffic_of_their_network() -> None:
    found = [kernel.key for kernel in in_context(fused_kernels)(network())]
    assert found[-1].startswith("linear 32>4 1px of")
    assert not any(" of" in key for key in found[:-1])
