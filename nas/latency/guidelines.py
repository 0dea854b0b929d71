"""The four guidelines of ShuffleNetV2, priced: what breaking each costs one network on one target.

Equal MACs are not equal time. Each kernel that breaks a guideline is priced beside a kernel that does the same
multiply-accumulates and keeps it, both from rows measured on the target and their relatives (`nas.latency.similar`):

    G1 unequal widths      a 1x1 convolution, against one of equal widths
    G2 group convolution   a grouped convolution, against a dense one; with it the shuffles that it needs
    G3 fragmentation       convolutions beside the longest path: their calls; slices and concatenations
    G4 element-wise work   sums, activations and norms, fused or not, against none

and what is not in the paper: leaving the runtime's fast memory layout. ShuffleNet V2, arXiv 1807.11164, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nas.arch import Act, Arch, Kind
from nas.latency.kernels import Kernel
from nas.latency.similar import Signature, signature

GRAIN = 8  # widths of a counterfactual are multiples of it
LABELS = ("unequal widths", "group convolution", "fragmentation", "element-wise work", "layout changes")
_ENDINGS = frozenset(map(str, Act))

KeysMs = Callable[[Sequence[str]], Sequence[float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What breaking one guideline costs a network.

    Attributes:
        guideline: One of `LABELS`.
        kernels: How many kernels break it.
        ms: What they take over what those that keep it would; below 0 where breaking it pays.
        share_pct: Of the network's predicted time.
    """

    guideline: str
    kernels: int
    ms: float
    share_pct: float


def findings(arch: Arch, kernels: Sequence[Kernel], price: KeysMs, *, call_ms: float) -> tuple[Finding, ...]:
    """What each guideline costs a network.

    Args:
        arch: The network.
        kernels: What the target runs for it.
        price: Milliseconds of kernels by their keys.
        call_ms: What one more convolution costs beside its work, as measured by `nas.latency.experiments`.

    Raises:
        LacksRowsError: As `price` does.
    """
    keys = [kernel.key for kernel in kernels]
    now_ms = dict(zip(keys, price(keys), strict=True))
    total_ms = sum(now_ms[key] for key in keys)
    grouped = any(" g" in key and key.startswith("conv") for key in keys)
    instead = {
        LABELS[0]: _instead(keys, _equal_widths),
        LABELS[1]: _instead(keys, lambda key: _dense(key) or (_nothing if grouped and _is(key, "shuffle") else None)),
        LABELS[2]: _instead(keys, lambda key: _nothing if _is(key, "slice", "concat") else None),
        LABELS[3]: _instead(keys, _bare),
        LABELS[4]: _instead(keys, lambda key: _nothing if _is(key, "to_plain", "to_blocked") else None),
    }
    wanted = list(dict.fromkeys(other.key for pairs in instead.values() for _, other in pairs if other.key))
    then_ms = dict(zip(wanted, price(wanted), strict=True))
    found = []
    for label, pairs in instead.items():
        costs_ms = [now_ms[key] - other.times * then_ms.get(other.key, 0.0) for key, other in pairs]
        extra = _beside_longest_path(arch) if label == LABELS[2] else 0
        ms = sum(costs_ms) + extra * call_ms
        found.append(
            Finding(guideline=label, kernels=len(pairs) + extra, ms=ms, share_pct=100 * ms / max(total_ms, 1e-12))
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Other:
    """A kernel that keeps a guideline, and how many of it do the same work; no key: nothing would do."""

    key: str
    times: float = 1.0


_nothing = _Other("", 0.0)


def _instead(keys: Sequence[str], other: Callable[[str], _Other | None]) -> list[tuple[str, _Other]]:
    return [(key, found) for key in keys if (found := other(key)) is not None]


def _is(key: str, *kinds: str) -> bool:
    return key.partition(" ")[0] in kinds


def _equal_widths(key: str) -> _Other | None:
    """A 1x1 convolution of unequal widths -> one of equal widths."""
    said = signature(key)
    first, second = said.channels
    if said.kind != "conv" or said.window > 1 or said.parts > 1 or first == second or said.px == 1:
        return None
    width = _rounded((first * second) ** 0.5)
    return _Other(_with_channels(key, width, width), first * second / width**2)


def _dense(key: str) -> _Other | None:
    """A grouped convolution -> a dense one of the same multiply-accumulates."""
    said = signature(key)
    if said.kind != "conv" or said.parts == 1:
        return None
    first, second = (_rounded(count / said.parts**0.5) for count in said.channels)
    words = [word for word in key.split() if word not in (f"g{said.parts}", "plain")]
    work = said.channels[0] * said.channels[1] / said.parts
    return _Other(_with_channels(" ".join(words), first, second), work / (first * second))


def _bare(key: str) -> _Other | None:
    """A kernel with an activation or a sum -> the same without; a sum, activation or norm of its own -> nothing."""
    if _is(key, "add", "act", "norm"):
        return _nothing
    if not _is(key, "conv", "dw"):
        return None
    words = key.split()
    kept = [word for word in words if word != "+sum" and word not in _ENDINGS]
    return _Other(" ".join(kept)) if kept != words else None


def _rounded(count: float) -> int:
    return max(GRAIN, round(count / GRAIN) * GRAIN)


def _with_channels(key: str, first: int, second: int) -> str:
    kind, _, *rest = key.split()
    return " ".join([kind, str(first) if first == second else f"{first}>{second}", *rest])


def _beside_longest_path(arch: Arch) -> int:
    """Convolutions that are not on the path with the most of them."""
    depth: dict[str, int] = {}
    for layer in arch.layers:
        own = int(layer.kind is Kind.CONV)
        depth[layer.name] = own + max((depth.get(source, 0) for source in layer.inputs), default=0)
    return sum(layer.kind is Kind.CONV for layer in arch.layers) - max(depth.values())


def by_kind(kernels: Sequence[Kernel], ms: Sequence[float]) -> Mapping[str, float]:
    """Milliseconds of each kind of op, longest first."""
    found: dict[str, float] = {}
    for kernel, each_ms in zip(kernels, ms, strict=True):
        kind = _kind(signature(kernel.key))
        found[kind] = found.get(kind, 0.0) + each_ms
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _kind(said: Signature) -> str:
    """A kernel's kind as a reader knows it."""
    match said.kind:
        case "conv" if said.parts > 1:
            return "group conv"
        case "conv":
            return "conv 1x1" if said.window == 1 else "conv"
        case "dw":
            return "depthwise conv"
        case "to_plain" | "to_blocked":
            return "layout change"
        case kind:
            return kind.replace("_", " ")
