from __future__ import annotations

import random
from functools import partial

import numpy as np
import pytest

from nas.arch import IMAGE, Builder, Kind, Layer, cost
from nas.netadapt import WidthSpace, least, shrink, trimmable
from nas.space import decisions, largest, smallest, typical, uniform


def test_its_largest_is_the_network_and_its_smallest_the_least(arch):
    space = WidthSpace(arch=arch, name="own", grain=8)
    assert space.build(largest) == arch
    assert space.build(smallest) == least(arch, grain=8)
    assert set(decisions(space)) == set(trimmable(arch))


def test_bottlenecks_follow_as_they_do_when_trimming(arch):
    rng = random.Random(0)
    space = WidthSpace(arch=arch, name="own", grain=8)
    for _ in range(50):
        built = space.build(uniform(rng))
        trimmed = arch
        for width in trimmable(arch):
            if built.widths[width] < arch.widths[width]:
                trimmed = shrink(arch, trimmed, width, built.widths[width], grain=8)
        assert built == trimmed


def test_channels_off_the_grain_are_kept_or_come_onto_it(arch):
    space = WidthSpace(arch=arch.with_widths({"head": 61}), name="own", grain=16)
    assert decisions(space)["head"] == (16, 32, 48, 61)


@pytest.mark.parametrize("seed", range(5))
def test_what_a_sum_or_groups_forbid_is_left_out(seed):
    net = Builder(size_px=4, image_channels=1)
    a = net.conv("a", IMAGE, net.width("a", 32))
    b = net.conv("b", IMAGE, net.width("b", 32))
    x = net.add(Layer(name="sum", kind=Kind.ADD, inputs=(a, b)))
    x = net.conv("c", x, net.width("c", 48), groups=2)
    arch = net.classify(net.pool("pool", x), classes=2)
    built = WidthSpace(arch=arch, name="own", grain=8).build(uniform(random.Random(seed)))
    assert built.widths["a"] == built.widths["b"]
    assert built.widths["c"] % 2 == 0


def test_typical_networks_are_narrowed_as_a_whole_from_the_full_to_the_least(arch):
    """Their MACs spread much wider than those of independent widths, and the full network is among them."""
    space, rng = WidthSpace(arch=arch, name="own", grain=8), random.Random(0)
    shares = {
        choose: np.array([cost(space.build(choose(rng))).macs / cost(arch).macs for _ in range(300)])
        for choose in (partial(typical, space), uniform)
    }
    wide, independent = shares.values()
    assert wide.std() > 1.3 * independent.std()
    assert wide.max() == 1
    assert {space.build(typical(space, rng)).widths["head"] for _ in range(300)} == set(decisions(space)["head"])
