"""The four guidelines of ShuffleNetV2, measured: small networks of equal MACs that differ in one thing, interleaved.

As in the paper's tables 1 to 4 (arXiv 1807.11164): stacks of one block, timed beside a reference of the same
multiply-accumulates. The differences are the target's own, whatever network is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from nas.arch import IMAGE, Act, Arch, Builder
from nas.latency.session import measure_networks
from nas.progress import Progress
from nas.target import Target

SIZE_PX, WIDTH, BLOCKS, ROUNDS = 28, 128, 8, 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """One comparison.

    Attributes:
        guideline: As in `nas.latency.guidelines.LABELS`.
        variant: What differs from the reference.
        extra_pct: Time over that of the reference at equal MACs, less one, per cent.
        extra_ms: The same in milliseconds, a block.
    """

    guideline: str
    variant: str
    extra_pct: float
    extra_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiments:
    """What the target thinks of the guidelines.

    Attributes:
        call_ms: What one more convolution costs beside its work.
    """

    found: tuple[Experiment, ...]
    call_ms: float


Block = Callable[[Builder, str, str], str]  # net, name, source -> its last layer, of `WIDTH` channels


def run_experiments(target: Target, *, seed: int, progress: Progress) -> Experiments:
    """Measure the guidelines on this machine: a few seconds.

    Raises:
        DeviceError: Measuring failed.
    """
    archs = {name: _stack(block, _ENTRIES.get(name, WIDTH)) for name, block in _BLOCKS.items()}
    measured = measure_networks(target, list(archs.values()), rounds=ROUNDS, seed=seed, progress=progress)
    ms = dict(zip(archs, np.median(measured.samples_us, axis=1) / 1000, strict=True))
    found = tuple(
        Experiment(
            guideline=guideline,
            variant=variant,
            extra_pct=float(ms[name] / ms[reference] - 1) * 100,
            extra_ms=float(ms[name] - ms[reference]) / BLOCKS,
        )
        for name, (guideline, variant, reference) in _COMPARED.items()
    )
    return Experiments(found=found, call_ms=max(0.0, float(ms["two"] - ms["one"]) / BLOCKS))


def _stack(block: Block, entry: int) -> Arch:
    """Blocks in a row behind a stem of `entry` channels."""
    net = Builder(size_px=SIZE_PX, image_channels=3)
    x = net.conv("stem", IMAGE, net.width("stem", entry))
    for i in range(BLOCKS):
        x = block(net, f"b{i}", x)
    return net.classify(net.pool("pool", x), classes=10)


def _pair(mid: int, *, act: Act = Act.IDENTITY, residual: bool = False) -> Block:
    """Two 1x1 convolutions with `mid` channels between them."""

    def write(net: Builder, name: str, source: str) -> str:
        x = net.conv(f"{name}.in", source, net.width(f"{name}.mid", mid), act=act)
        x = net.conv(f"{name}.out", x, net.width(f"{name}.out", WIDTH), act=Act.IDENTITY if residual else act)
        return net.residual(f"{name}.sum", source, x, act=act) if residual else x

    return write


def _resized(first: int, second: int) -> Block:
    """Two 1x1 convolutions, `first` to `second` channels and back."""

    def write(net: Builder, name: str, source: str) -> str:
        x = net.conv(f"{name}.in", source, net.width(f"{name}.wide", second))
        return net.conv(f"{name}.out", x, net.width(f"{name}.narrow", first))

    return write


def _grouped(groups: int, width: int) -> Block:
    """A pair of grouped 1x1 convolutions of `width` channels."""

    def write(net: Builder, name: str, source: str) -> str:
        for part in ("in", "out"):
            source = net.conv(f"{name}.{part}", source, net.width(f"{name}.{part}", width), groups=groups)
        return source

    return write


def _fragments(count: int) -> Block:
    """A 1x1 convolution in `count` branches side by side, concatenated."""

    def write(net: Builder, name: str, source: str) -> str:
        parts = [net.conv(f"{name}.p{i}", source, net.width(f"{name}.p{i}", WIDTH // count)) for i in range(count)]
        return net.concat(f"{name}.concat", *parts) if count > 1 else parts[0]

    return write


def _chain(narrow: bool) -> Block:
    """One 1x1 convolution, or two of half the work each."""
    mids = (WIDTH // 2, WIDTH) if narrow else (WIDTH,)

    def write(net: Builder, name: str, source: str) -> str:
        for i, mid in enumerate(mids):
            source = net.conv(f"{name}.c{i}", source, net.width(f"{name}.c{i}", mid))
        return source

    return write


_BLOCKS: Mapping[str, Block] = MappingProxyType(
    {
        "equal": _pair(WIDTH),
        "1:4": _resized(WIDTH // 2, WIDTH * 2),
        "1:16": _resized(WIDTH // 4, WIDTH * 4),
        "groups 4": _grouped(4, WIDTH * 2),
        "groups 16": _grouped(16, WIDTH * 4),
        "groups 64": _grouped(64, WIDTH * 8),
        "one": _chain(narrow=False),
        "two": _chain(narrow=True),
        "2 branches": _fragments(2),
        "4 branches": _fragments(4),
        "relu": _pair(WIDTH, act=Act.RELU),
        "hswish": _pair(WIDTH, act=Act.HSWISH),
        "swish": _pair(WIDTH, act=Act.SWISH),
        "sum and relu": _pair(WIDTH, act=Act.RELU, residual=True),
    }
)
_ENTRIES: Mapping[str, int] = MappingProxyType(  # channels that a block begins and ends with, where not `WIDTH`
    {"1:4": 64, "1:16": 32, "groups 4": 256, "groups 16": 512, "groups 64": 1024}
)
# Network -> guideline, what differs, reference.
_COMPARED: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "1:4": ("unequal widths", "1x1 convolutions 64 to 256 channels and back, for 128 to 128", "equal"),
        "1:16": ("unequal widths", "1x1 convolutions 32 to 512 channels and back, for 128 to 128", "equal"),
        "groups 4": ("group convolution", "256 channels in 4 groups, for 128 channels", "equal"),
        "groups 16": ("group convolution", "512 channels in 16 groups, for 128 channels", "equal"),
        "groups 64": ("group convolution", "1024 channels in 64 groups, for 128 channels", "equal"),
        "two": ("fragmentation", "two convolutions in a row, for one", "one"),
        "2 branches": ("fragmentation", "2 convolutions side by side and a concatenation, for one", "one"),
        "4 branches": ("fragmentation", "4 convolutions side by side and a concatenation, for one", "one"),
        "relu": ("element-wise work", "ReLU behind every convolution, for none", "equal"),
        "hswish": ("element-wise work", "h-swish behind every convolution, for none", "equal"),
        "swish": ("element-wise work", "swish behind every convolution, for none", "equal"),
        "sum and relu": ("element-wise work", "ReLU and a residual sum, for none", "equal"),
    }
)
