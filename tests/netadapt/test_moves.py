from __future__ import annotations

import pytest

from nas.arch import CLASSES, IMAGE, Builder, Kind, Layer
from nas.netadapt import least, propose, shrink, trimmable


def test_every_made_width_may_shrink_but_not_the_image_classes_or_bottlenecks(arch):
    widths = {"stem", "s0", "s0.b0.mid", "s0.b1.mid", "s0.b2.mid", "head", "features"}
    assert set(trimmable(arch)) == widths
    assert not {IMAGE, CLASSES} & set(trimmable(arch))


def test_a_bottleneck_follows_its_block_and_never_drifts(arch):
    here = arch
    for channels in range(40, 0, -8):
        here = shrink(arch, here, "s0.b0.mid", channels, grain=8)
    assert (here.widths["s0.b0.mid"], here.widths["s0.b0.squeeze"]) == (8, 8)
    half = shrink(arch, arch, "s0.b2.mid", 40, grain=4)
    assert half.widths["s0.b2.squeeze"] == 12
    assert shrink(arch, arch, "s0", 16, grain=8).widths["s0.b0.squeeze"] == 16


def test_the_smallest_shrink_that_saves_enough_is_proposed_for_each_width(arch, latency):
    here_ms = latency(arch)
    saving_ms = 0.05 * here_ms
    for proposal in propose(arch, arch, saving_ms=saving_ms, latency=latency, grain=8):
        wider = shrink(arch, arch, proposal.width, proposal.channels + 8, grain=8)
        assert here_ms - proposal.latency_ms >= saving_ms > here_ms - latency(wider)
        assert proposal.latency_ms == latency(proposal.arch)
        assert proposal.arch.widths[proposal.width] == proposal.channels


def test_an_unreachable_saving_falls_back_to_the_largest_there_is(arch, latency):
    proposals = propose(arch, arch, saving_ms=1e9, latency=latency, grain=8)
    assert proposals
    assert all(proposal.latency_ms < latency(arch) for proposal in proposals)


def test_shrinks_that_are_not_faster_are_skipped_further(arch):
    def steps_of_32(arch):
        return sum(-(-channels // 32) for channels in arch.widths.values())

    proposals = propose(arch, arch, saving_ms=1, latency=steps_of_32, grain=8)
    assert {p.width: p.channels for p in proposals}["head"] == 32
    assert "stem" not in {p.width for p in proposals}
    assert propose(arch, arch, saving_ms=1, latency=lambda _arch: 1.0, grain=8) == ()


def test_every_priced_network_was_prepared_before(arch, latency):
    prepared = {arch}

    def strict(asked):
        assert asked in prepared
        return latency(asked)

    assert propose(arch, arch, saving_ms=0.5, latency=strict, grain=8, prepare=prepared.update)


def test_widths_off_the_grain_come_onto_it(arch, latency):
    off = arch.with_widths({"head": 61})
    proposals = propose(off, off, saving_ms=1e-6, latency=latency, grain=8)
    assert {p.width: p.channels for p in proposals}["head"] == 56


def test_groups_that_no_longer_divide_are_skipped():
    net = Builder(size_px=4, image_channels=1)
    x = net.conv("a", IMAGE, net.width("a", 24))
    x = net.conv("b", x, net.width("b", 24), groups=3)
    arch = net.classify(net.pool("pool", x), classes=2)
    channels = {p.width: p.channels for p in propose(arch, arch, saving_ms=1, latency=_channels, grain=4)}
    assert channels == {"a": 12, "b": 12}


def test_a_width_bound_to_another_by_a_sum_stays():
    net = Builder(size_px=4, image_channels=1)
    a = net.conv("a", IMAGE, net.width("a", 16))
    b = net.conv("b", IMAGE, net.width("b", 16))
    arch = net.classify(net.pool("pool", net.add(Layer(name="sum", kind=Kind.ADD, inputs=(a, b)))), classes=2)
    assert propose(arch, arch, saving_ms=1, latency=_channels, grain=8) == ()


@pytest.mark.parametrize("grain", [4, 8, 16])
def test_least_is_no_slower_than_any_proposal(arch, latency, grain):
    bottom = least(arch, grain=grain)
    assert all(bottom.widths[width] <= grain for width in trimmable(arch))
    assert latency(bottom) < latency(arch)


def _channels(arch):
    return float(sum(arch.widths.values()))
