"""What the Inception networks share: modules of parallel branches, written as tables.

A branch is a chain of steps; its last one may be a `Fork` into further branches. A module's output is the concat of all
branch ends, in the table's order.
"""

from __future__ import annotations

from dataclasses import dataclass

from nas.arch import Act, Builder


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution with batch norm and ReLU; the names of its layer and of its width are the same."""

    channels: int
    kernel: int | tuple[int, int] = 1
    stride: int = 1
    padding: int | None = None

    def write(self, net: Builder, name: str, source: str) -> str:
        """Append the layer."""
        return net.conv(
            name,
            source,
            net.width(name, self.channels),
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            act=Act.RELU,
        )


@dataclass(frozen=True, slots=True)
class MaxPool:
    """A 3x3 max pool; without padding when it has a stride."""

    stride: int

    def write(self, net: Builder, name: str, source: str) -> str:
        """Append the layer."""
        return net.max_pool(name, source, kernel=3, stride=self.stride, padding=1 if self.stride == 1 else 0)


@dataclass(frozen=True, slots=True)
class AvgPool:
    """A 3x3 average pool that keeps the size."""

    counts_padding: bool = True

    def write(self, net: Builder, name: str, source: str) -> str:
        """Append the layer."""
        return net.avg_pool(name, source, kernel=3, counts_padding=self.counts_padding)


@dataclass(frozen=True, slots=True)
class Fork:
    """Branches that go on from the same layer."""

    branches: Branches


Step = Conv | MaxPool | AvgPool
Branches = tuple[tuple[Step | Fork, ...], ...]
HALVE = (MaxPool(2),)  # the branch that only pools


def chain(net: Builder, name: str, source: str, *steps: Step) -> str:
    """Append steps one after the other, as layers `<name>0`, `<name>1`, ..."""
    for i, step in enumerate(steps):
        source = step.write(net, f"{name}{i}", source)
    return source


def module(net: Builder, name: str, source: str, branches: Branches) -> str:
    """Append a module; its layers are named `<name>.<branch>.<step>`, its concat `<name>`."""
    return net.concat(name, *_ends(net, name, source, branches))


def _ends(net: Builder, name: str, source: str, branches: Branches) -> list[str]:
    found: list[str] = []
    for i, branch in enumerate(branches):
        x, forked = source, False
        for j, step in enumerate(branch):
            if isinstance(step, Fork):
                found += _ends(net, f"{name}.{i}.{j}", x, step.branches)
                forked = True
            else:
                x = step.write(net, f"{name}.{i}.{j}", x)
        found += [] if forked else [x]
    return found
