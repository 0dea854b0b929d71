from __future__ import annotations

from collections.abc import Sequence

import pytest

from nas.arch import IMAGE, Act, Arch, Builder, cost
from nas.space import Choose

WIDTHS = (8, 16, 24, 32)


class ToySpace:
    """A stem and one to four convolutions; 4 * (4 * 8 + ... ) networks, depth is a real condition."""

    name = "toy"

    def build(self, choose: Choose) -> Arch:
        net = Builder(size_px=8, image_channels=1)
        x = net.conv("stem", IMAGE, net.width("stem", int(choose("stem.width", WIDTHS))), kernel=3, act=Act.RELU)
        for i in range(int(choose("depth", (1, 2, 3, 4)))):
            width = net.width(f"b{i}", int(choose(f"b{i}.width", WIDTHS)))
            x = net.conv(f"b{i}", x, width, kernel=int(choose(f"b{i}.kernel", (1, 3))), act=Act.RELU)
        return net.classify(net.pool("pool", x), classes=10)


class Oracle:
    """Accuracy from parameters, remembering what it was asked."""

    def __init__(self, failures: Sequence[object] = ()) -> None:
        self.asked: list[Arch] = []
        self.failures = list(failures)

    def __call__(self, arch: Arch) -> float:
        self.asked.append(arch)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, BaseException):
                raise failure
            if failure is not None:
                return failure
        return 1 - 1 / (1 + cost(arch).params / 1e4) - 0.001 * len(arch.layers)


def toy_latency(arch: Arch) -> float:
    return cost(arch).macs / 1e6 + 0.01 * len(arch.layers)


@pytest.fixture
def space() -> ToySpace:
    return ToySpace()


@pytest.fixture
def latency():
    return toy_latency


@pytest.fixture
def oracle() -> type[Oracle]:
    return Oracle
