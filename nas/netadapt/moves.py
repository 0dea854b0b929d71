"""Which width to narrow, and how far.

Layers that must agree share a width's name, so a move is a change of one name's channels; the bottleneck of a
squeeze-excite follows the width it gates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nas.arch import CLASSES, IMAGE, Arch, Kind
from nas.errors import InfeasibleError, InputError

Latency = Callable[[Arch], float]  # milliseconds
Prepare = Callable[[Sequence[Arch]], None]  # told which networks are about to be priced


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A network with one width narrowed to `channels`, and its latency."""

    arch: Arch
    width: str
    channels: int
    latency_ms: float


def trimmable(arch: Arch) -> tuple[str, ...]:
    """Names of the widths that may shrink: those that a convolution or linear layer makes, but not the output's.

    Widths that a slice divides stay too (ShuffleNetV2's stages): which part a channel falls into depends on how many
    come before it, so filters could not be chosen freely.
    """
    fixed = {IMAGE, CLASSES, arch.layers[-1].width, "", *_sliced(arch)}
    made = [layer.width for layer in arch.layers if layer.kind in (Kind.CONV, Kind.LINEAR)]
    return tuple(dict.fromkeys(width for width in made if width not in fixed))


def shrink(seed: Arch, arch: Arch, width: str, channels: int, *, grain: int) -> Arch:
    """Narrow one width, and in proportion the squeeze-excite bottlenecks that follow it.

    Args:
        seed: The network before any trimming: bottlenecks keep its ratios, rounded to `grain`.
        arch: The network to change.
        width: Name of the width.
        channels: Its new channels.
        grain: Bottlenecks are multiples of it, at least one.

    Raises:
        InputError: No network has these widths.
    """
    changes = {width: channels}
    for squeeze in followers(arch).get(width, ()):
        changes[squeeze] = min(arch.widths[squeeze], proportional(seed, squeeze, width, channels, grain=grain))
    return arch.with_widths(changes)


def least(seed: Arch, *, grain: int) -> Arch:
    """Narrow every width to one grain, as far as that makes a network."""
    arch = seed
    for width in trimmable(seed):
        if seed.widths[width] > grain:
            arch = _shrunk(seed, arch, width, grain, grain=grain) or arch
    return arch


def narrowest(seed: Arch, *, grain: int) -> tuple[Arch, ...]:
    """The network with every width at 1, 2 and 4 grains: fewer channels than a vector holds can be slower."""
    return tuple(least(seed, grain=steps * grain) for steps in (1, 2, 4))


def require_reachable(seed: Arch, latency: Latency, *, budget_ms: float, grain: int) -> None:
    """Refuse a budget that narrowing cannot meet.

    Raises:
        InfeasibleError: The text names the latency that it can, in ms.
    """
    least_ms = min(map(latency, narrowest(seed, grain=grain)))
    if least_ms > budget_ms:
        raise InfeasibleError(
            f"trimming cannot reach budget_ms={budget_ms:g}: with every width at its least the network takes "
            f"{least_ms:.4g} ms; raise the budget or start from a faster network"
        )


def propose(
    seed: Arch, arch: Arch, *, saving_ms: float, latency: Latency, grain: int, prepare: Prepare | None = None
) -> tuple[Proposal, ...]:
    """Find for every width the smallest shrink that saves enough.

    Where none does, what saves at least half of the most that any shrink saves; nothing where none saves anything.
    Each round prices one more step of every width that has not saved enough yet.

    Args:
        seed: The network before any trimming.
        arch: The network to narrow.
        saving_ms: Enough, ms.
        latency: The price of a network, ms.
        grain: Widths are narrowed to multiples of it, at least one.
        prepare: Called with the networks of a round before they are priced.
    """
    here_ms = latency(arch)
    best: dict[str, Proposal] = {}
    ladders = {width: _narrower(seed, arch, width, grain) for width in trimmable(arch)}
    while ladders:
        steps = {width: next(ladder, None) for width, ladder in ladders.items()}
        archs = {width: step for width, step in steps.items() if step}
        if prepare and archs:
            prepare(tuple(archs.values()))
        for width, step in archs.items():
            priced = Proposal(arch=step, width=width, channels=step.widths[width], latency_ms=latency(step))
            if width not in best or priced.latency_ms < best[width].latency_ms:
                best[width] = priced
        ladders = {width: ladders[width] for width in archs if here_ms - best[width].latency_ms < saving_ms}
    most_ms = max((here_ms - proposal.latency_ms for proposal in best.values()), default=0.0)
    enough_ms = saving_ms if most_ms >= saving_ms else most_ms / 2
    return tuple(p for p in best.values() if here_ms - p.latency_ms >= enough_ms > 0)


def _narrower(seed: Arch, arch: Arch, width: str, grain: int) -> Iterator[Arch]:
    """Networks with fewer and fewer channels of a width, in multiples of the grain."""
    for channels in range((arch.widths[width] - 1) // grain * grain, 0, -grain):
        step = _shrunk(seed, arch, width, channels, grain=grain)
        if step:
            yield step


def _shrunk(seed: Arch, arch: Arch, width: str, channels: int, *, grain: int) -> Arch | None:
    try:
        return shrink(seed, arch, width, channels, grain=grain)
    except InputError:  # groups or a sum forbid it
        return None


def followers(arch: Arch) -> dict[str, frozenset[str]]:
    """Width -> bottlenecks of the squeeze-excites that gate it; a bottleneck whose name is a width's is none."""
    free, found = set(trimmable(arch)), dict[str, frozenset[str]]()
    flow = {IMAGE: IMAGE}
    for layer in arch.layers:
        follows = "" if layer.kind is Kind.CONCAT else flow[layer.inputs[0]]
        flow[layer.name] = layer.width or follows
        if layer.kind is Kind.SE and layer.squeeze not in free:
            gated = flow[layer.inputs[0]]
            found[gated] = found.get(gated, frozenset()) | {layer.squeeze}
    return found


def proportional(seed: Arch, squeeze: str, width: str, channels: int, *, grain: int) -> int:
    """Channels of a bottleneck that keep its ratio to the width it follows: a multiple of the grain, at least one."""
    wanted = seed.widths[squeeze] * channels / seed.widths[width]
    return min(seed.widths[squeeze], max(grain, round(wanted / grain) * grain))


def _sliced(arch: Arch) -> frozenset[str]:
    """Widths of the channels that slices divide."""
    flow, found = {IMAGE: frozenset({IMAGE})}, frozenset[str]()
    for layer in arch.layers:
        read = frozenset[str]().union(*(flow[name] for name in layer.inputs))
        makes = layer.kind in (Kind.CONV, Kind.LINEAR) and not layer.depthwise
        flow[layer.name] = frozenset({layer.width}) if makes else read
        found |= read if layer.kind is Kind.SLICE else frozenset()
    return found
