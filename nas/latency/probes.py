"""Probe networks: random chains of the literature's blocks, from which a network that nobody measured is priced.

A table for a space is measured in networks of that space. A table for *any* network is measured in probes: each block
is drawn from the vocabulary below, its widths from all that networks for 224 px images use, under a cap on the
multiply-accumulates of one op. No hand-designed network is among them; `nas.latency.similar` does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nas.arch import IMAGE, Act, Arch, Builder
from nas.latency.bench import MeasurePlan
from nas.space import Choices, Choose

PLAN = MeasurePlan(networks=270, anchors=10, heldout=16, rounds=9, profile_runs=8, seconds=150, cover=False)
SIZES_PX = (192, 224)
CAPS_MMACS = (1, 2, 4, 8, 16, 32, 64, 128, 220)  # of one op; a network keeps to one
UNITS = (16, 8, 4, 2)  # widths are multiples of it; 2: of no more than that, so that fast layouts are left
ACTS = (Act.IDENTITY, Act.RELU, Act.RELU6, Act.HSWISH, Act.SWISH, Act.LEAKY_RELU)
WIDTHS = (
    *(8, 12, 16, 20, 24, 32, 36, 40, 48, 56, 64, 72, 80, 88, 96, 112, 128, 144, 160, 176, 192, 224, 256, 288, 320, 368),
    *(416, 480, 512, 576, 640, 672, 728, 832, 960, 1024, 1152, 1280, 1536, 1792, 2048, 2560),
)
STEMS = ("k3 s2", "k7 s2", "k3 s1", "k11 s4")
SHRINKS = ("max 2", "max 3", "avg 2", "dw", "conv 1", "conv 3", "max 3 p0", "avg 3", "dw 5", "conv 5", "conv 3 p0")
MOST_BLOCKS = 3  # of one image size
LEAST_PX = 5
HEAVY = 8  # caps that a full convolution may take, now and then
DENSE = 4  # times that a dense block repeats


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """The search space of the probes.

    Attributes:
        image_channels, classes: Of the networks.
    """

    name: str = "vocabulary_224px"
    image_channels: int = 3
    classes: int = 1000

    def build(self, choose: Choose) -> Arch:
        """Build one probe."""
        size_px = int(choose("size_px", SIZES_PX))
        chain = _Chain(Builder(size_px=size_px, image_channels=self.image_channels), choose, size_px)
        chain.stem()
        step = 0
        while chain.px >= LEAST_PX:
            for _ in range(int(choose(f"{step}.depth", tuple(range(1, MOST_BLOCKS + 1))))):
                chain.name = f"b{step}"
                BLOCKS[str(choose(chain.name, tuple(BLOCKS)))](chain)
                step += 1
            chain.shrink()
        return chain.head(self.classes)

    def known(self) -> tuple[Choices, ...]:
        """None: probes are like no hand-designed network."""
        return ()


class _Chain:
    """A network being written.

    Attributes:
        net, choose: Where to write, and who decides.
        x, channels, px: The last tensor.
        name: Prefix of the next layers.
    """

    def __init__(self, net: Builder, choose: Choose, size_px: int) -> None:
        self.net, self.choose = net, choose
        self.x, self.channels, self.px, self.name = IMAGE, net.channels(IMAGE), size_px, "stem"
        self._cap = int(choose("cap", CAPS_MMACS)) * 1_000_000
        self._unit = int(choose("unit", UNITS))
        self._act = Act(str(choose("act", ACTS[1:])))

    def pick(self, what: str, *options: int) -> int:
        """Decide something of the block at hand."""
        return int(self.choose(f"{self.name}.{what}", options))

    def act(self, what: str) -> Act:
        """An activation: mostly the network's, often none."""
        return self._act if self.pick(f"{what}.act", 0, 1, 2) else Act.IDENTITY

    def width(
        self, what: str, *, window: int = 1, source: int | None = None, groups: int = 1, grain: int = 1, heavy: int = 1
    ) -> int:
        """Channels for an op, such that it stays below the cap, or `heavy` caps; multiples of `grain`."""
        each = (source or self.channels) * window * self.px**2 // groups // heavy
        fits = [width for width in WIDTHS if width * each <= self._cap]
        wanted = self.pick(f"{what}.width", *(fits or WIDTHS[:1]))
        unit = grain * self._unit if wanted >= grain * self._unit else max(grain, 2)
        found = max(unit, wanted // unit * unit)
        return found + 2 if self._unit == 2 and grain == 1 and found % 4 == 0 else found

    def most_square(self) -> int:
        """Channels of the widest 1x1 convolution of equal widths below the cap; even."""
        return max(8, int((self._cap / self.px**2) ** 0.5) // 8 * 8)

    def conv(self, what: str, out: int, *, source: str | None = None, act: Act | None = None, **options: object) -> str:
        """A convolution of the last tensor, or of `source`; the caller follows the tensor."""
        name = f"{self.name}.{what}"
        given = {"act": self.act(what) if act is None else act, **options}
        return self.net.conv(name, source or self.x, self.net.width(name, out), **given)  # type: ignore[arg-type]

    def depthwise(self, what: str, source: str, *, kernel: int, stride: int = 1, act: Act | None = None) -> str:
        """A depthwise convolution."""
        given = self.act(what) if act is None else act
        return self.net.depthwise(f"{self.name}.{what}", source, kernel=kernel, stride=stride, act=given)

    def follow(self, x: str, channels: int) -> None:
        """Go on from a tensor."""
        self.x, self.channels = x, channels

    def stem(self) -> None:
        """The first convolution."""
        kernel, stride = (int(word[1:]) for word in str(self.choose("stem", STEMS)).split())
        self.px = (self.px + 2 * (kernel // 2) - kernel) // stride + 1
        out = self.width("stem", window=kernel**2)
        self.follow(self.conv("conv", out, kernel=kernel, stride=stride), out)

    def shrink(self) -> None:
        """Half the image size, or nearly."""
        self.name = f"{self.name}.shrink"
        how, number, *rest = f"{self.choose(self.name, SHRINKS)} 3".split()
        kernel, padding = int(number), 0 if "p0" in rest or number == "2" else int(number) // 2
        name, out = f"{self.name}.{how}", self.channels
        match how:
            case "max":
                x = self.net.max_pool(name, self.x, kernel=kernel, stride=2, padding=padding)
            case "avg":
                x = self.net.avg_pool(name, self.x, kernel=kernel, stride=2, padding=padding)
            case "dw":
                padding = kernel // 2
                x = self.depthwise(how, self.x, kernel=kernel, stride=2)
            case _:
                out = self.width("conv", window=kernel**2)
                x = self.conv("conv", out, kernel=kernel, stride=2, padding=padding)
        self.px = (self.px + 2 * padding - kernel) // 2 + 1
        self.follow(x, out)

    def head(self, classes: int) -> Arch:
        """The last convolution, pooling or not, and linear layers."""
        self.name = "head"
        if self.pick("conv", 0, 1):
            out = self.width("last")
            self.follow(self.conv("last", out), out)
        x = self.x if self.pick("flat", 0, 0, 1) else self.net.pool("pool", self.x)
        if self.pick("linear", 0, 1):
            out = self.pick("features", 128, 512, 1024, 1280, 2048, 4096)
            x = self.net.linear("features", x, self.net.width("features", out), act=self.act("features"))
        return self.net.classify(x, classes=classes)


def _pointwise(chain: _Chain) -> None:
    out = chain.width("out")
    chain.follow(chain.conv("conv", out), out)


def _separable(chain: _Chain) -> None:
    """ReLU of its own, depthwise and pointwise convolution, or only these."""
    x = chain.net.act(f"{chain.name}.pre", chain.x, Act.RELU) if chain.pick("pre", 0, 0, 1) else chain.x
    x = chain.depthwise("dw", x, kernel=chain.pick("kernel", 3, 5, 7))
    out = chain.width("out")
    chain.follow(chain.conv("conv", out, source=x), out)


def _inverted(chain: _Chain) -> None:
    """Expansion, depthwise convolution, squeeze-excite or not, projection, residual sum or not."""
    mid, before = chain.width("mid"), chain.x
    x = chain.depthwise("dw", chain.conv("expand", mid), kernel=chain.pick("kernel", 3, 5, 7))
    if chain.pick("se", 0, 1):
        squeeze = chain.net.width(f"{chain.name}.squeeze", max(4, mid // chain.pick("ratio", 24, 16, 8, 4)))
        gate = (Act.HSIGMOID, Act.SIGMOID)[chain.pick("gate", 0, 1)]
        act = (Act.RELU, Act.SWISH)[chain.pick("squeeze.act", 0, 1)]
        x = chain.net.squeeze_excite(f"{chain.name}.se", x, squeeze, act=act, gate=gate)
    _projected(chain, before, x, mid)


def _projected(chain: _Chain, before: str, x: str, mid: int) -> None:
    """Back to the block's input width with a sum behind it, or to another width."""
    if not chain.pick("sum", 0, 1):
        out = chain.width("out", source=mid)
        chain.follow(chain.conv("project", out, source=x, act=Act.IDENTITY), out)
        return
    x = chain.conv("project", chain.channels, source=x, act=Act.IDENTITY)
    chain.follow(chain.net.residual(f"{chain.name}.sum", before, x, act=chain.act("sum")), chain.channels)


def _full(chain: _Chain) -> None:
    """A full convolution, behind a reducing one or not, with a sum behind it or not."""
    kernel, before, channels = chain.pick("kernel", 3, 3, 5), chain.x, chain.channels
    x = chain.x
    if chain.pick("reduce", 0, 1):
        channels = chain.width("reduce")
        x = chain.conv("reduce", channels)
    mid = chain.width("mid", window=kernel**2, source=channels, heavy=chain.pick("heavy", 1, 1, 1, HEAVY))
    x = chain.conv("conv", mid, source=x, kernel=kernel)
    if chain.pick("project", 0, 1):
        _projected(chain, before, x, mid)
    else:
        chain.follow(x, mid)


def _factorised(chain: _Chain) -> None:
    """1 x n and n x 1 convolutions."""
    kernel = chain.pick("kernel", 3, 7)
    channels = chain.width("reduce")
    mid = chain.width("mid", window=kernel, source=channels)
    out = chain.width("out", window=kernel, source=mid)
    x = chain.conv("reduce", channels)
    x = chain.conv("across", mid, source=x, kernel=(1, kernel))
    chain.follow(chain.conv("down", out, source=x, kernel=(kernel, 1)), out)


def _grouped(chain: _Chain) -> None:
    """ShuffleNet's unit: grouped pointwise convolutions around a shuffle and a depthwise convolution."""
    groups, before = chain.pick("groups", 2, 3, 4, 8), chain.x
    entry = chain.width("entry", grain=groups)
    x = chain.conv("entry", entry)
    mid = chain.width("mid", source=entry, groups=groups, grain=groups)
    x = chain.net.shuffle(f"{chain.name}.shuffle", chain.conv("down", mid, source=x, groups=groups), groups=groups)
    if chain.pick("dw", 0, 1):
        x = chain.depthwise("dw", x, kernel=3)
    x = chain.conv("up", entry, source=x, groups=groups, act=Act.IDENTITY)
    if entry == chain.channels:
        x = chain.net.residual(f"{chain.name}.sum", before, x, act=chain.act("sum"))
    chain.follow(x, entry)


def _cardinal(chain: _Chain) -> None:
    """ResNeXt's block, and grouped 3x3 convolutions of other groups."""
    groups, before = chain.pick("groups", 2, 4, 8, 32), chain.x
    mid = chain.width("mid", grain=groups)
    x = chain.conv("reduce", mid)
    out = chain.width("out", source=mid, window=9, groups=groups, grain=groups)
    stride = chain.pick("stride", 1, 1, 2) if chain.px > LEAST_PX else 1
    x = chain.conv("conv", out, source=x, kernel=3, groups=groups, stride=stride)
    if stride == 1:
        _projected(chain, before, x, out)
        return
    chain.px = (chain.px + 1) // 2
    chain.follow(x, out)


def _split(chain: _Chain) -> None:
    """ShuffleNetV2's unit: one half goes through convolutions, then both are shuffled."""
    half = min(chain.width("half"), chain.most_square())
    x = chain.conv("entry", 2 * half)
    width = chain.net.width(f"{chain.name}.half", half)
    left = chain.net.slice(f"{chain.name}.left", x, width)
    right = chain.net.slice(f"{chain.name}.right", x, width, skip=(width,))
    right = chain.depthwise("dw", chain.conv("first", half, source=right), kernel=chain.pick("kernel", 3, 5, 7))
    right = chain.conv("second", half, source=right)
    x = chain.net.concat(f"{chain.name}.concat", left, right)
    if chain.pick("shuffle", 0, 1):
        x = chain.net.shuffle(f"{chain.name}.shuffle", x, groups=2)
    chain.follow(x, 2 * half)


def _branches(chain: _Chain) -> None:
    """Inception's module: branches of different kernels side by side; the second may divide in two."""
    outs = [chain.width("b0")]
    parts = [chain.conv("b0", outs[0])]
    for i in range(1, chain.pick("branches", 2, 3, 4)):
        reduced = chain.width(f"b{i}.reduce")
        kernel = chain.pick(f"b{i}.kernel", 1, 3, 5)
        if kernel == 1:
            pool = chain.net.max_pool if chain.pick(f"b{i}.max", 0, 1) else chain.net.avg_pool
            parts.append(chain.conv(f"b{i}", reduced, source=pool(f"{chain.name}.b{i}.pool", chain.x, kernel=3)))
            outs.append(reduced)
            continue
        outs.append(chain.width(f"b{i}", source=reduced, window=kernel**2))
        x = chain.conv(f"b{i}.reduce", reduced)
        parts.append(chain.conv(f"b{i}", outs[-1], source=x, kernel=kernel))
    chain.follow(chain.net.concat(f"{chain.name}.concat", *parts), sum(outs))


def _dense(chain: _Chain) -> None:
    """DenseNet's block: norm and ReLU before each convolution, and every output is kept."""
    mid = min(chain.pick("mid", 64, 128, 192), chain.width("mid"))
    grown = min(chain.pick("growth", 8, 16, 32, 48), chain.width("most", source=mid, window=9))
    for i in range(chain.pick("repeats", *range(1, DENSE + 1))):
        x = chain.net.norm(f"{chain.name}.norm{i}", chain.x, act=Act.RELU)
        x = chain.conv(f"narrow{i}", mid, source=x, act=Act.RELU)
        x = chain.conv(f"grow{i}", grown, source=x, kernel=3, act=Act.IDENTITY)
        chain.follow(chain.net.concat(f"{chain.name}.concat{i}", chain.x, x), chain.channels + grown)


def _ghost(chain: _Chain) -> None:
    """GhostNet's module: a narrow convolution and a cheap copy of it, with a sum behind them or not."""
    back = chain.channels % 2 == 0 and chain.channels <= chain.most_square() and chain.pick("sum", 0, 1)
    half = chain.channels // 2 if back else chain.width("half")
    primary = chain.conv("primary", half)
    x = chain.net.concat(f"{chain.name}.concat", primary, chain.depthwise("cheap", primary, kernel=3))
    if back:
        x = chain.net.residual(f"{chain.name}.sum", chain.x, x)
    chain.follow(x, 2 * half)


def _preactivated(chain: _Chain) -> None:
    """Norm and ReLU, two convolutions, sum."""
    before, mid = chain.x, chain.width("mid")
    x = chain.net.norm(f"{chain.name}.norm", chain.x, act=Act.RELU)
    _projected(chain, before, chain.conv("conv", mid, source=x, act=Act.RELU), mid)


def _pooled(chain: _Chain) -> None:
    kernel, name = chain.pick("kernel", 3, 5), f"{chain.name}.pool"
    pool = chain.net.max_pool if chain.pick("max", 0, 1) else chain.net.avg_pool
    chain.follow(pool(name, chain.x, kernel=kernel), chain.channels)


BLOCKS: Mapping[str, Callable[[_Chain], None]] = MappingProxyType(
    {
        "pool": _pooled,
        "pointwise": _pointwise,
        "separable": _separable,
        "ghost": _ghost,
        "split": _split,
        "inverted": _inverted,
        "grouped": _grouped,
        "pre-activated": _preactivated,
        "cardinal": _cardinal,
        "dense": _dense,
        "factorised": _factorised,
        "branches": _branches,
        "full": _full,
    }
)
