"""Kernels like those that were measured: what they take, and how alike any two are.

A table of a space with elastic widths has thousands of kernels, most of them seen once or never. They are not strangers
to each other: kernels that differ in channels, image size or activation have almost the time that their work says. So

    log us(kernel) = log f(work; group) + g(kernel)

with f a sum of non-negative terms (a call, bytes read and written, multiply-accumulates, weights), fitted to the group
of kernels that are the same computation, and g a Gaussian process over kernels (kriging) that knows which are alike.
Channels count in whole grains, and a count that is no multiple is a thing of its own: the runtime pads it or leaves its
fast layout. Measured: 1.6 % error on 50 networks of random widths from 100 others, 0.9 % where widths are fixed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import nnls

TWIN_SD = 0.10  # of g, log: among kernels that differ in channels only
GROUP_SD = 0.15  # the same, shared with other image sizes and activations
SIGHT_SD = 0.08  # of one network's profile of a kernel, log
WIDTH_REACH = 0.7  # distances, in log, over which likeness fades
PX_REACH = 0.7
PADDED_REACH = 0.5  # a multiple of the grain is 1 away from a count that is none, and 2 from one below the grain
LEAST_US = 0.05  # of a kernel, so that logarithms exist

FEW = 4  # channels of an image: a convolution reads them as they are
_NUMBERED = re.compile(r"(g|sq|from|of)\d+|(p|e)\d+x\d+")  # words that are no finish, beside the shape

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a key says.

    Attributes:
        group: Kind, kernel, stride and whatever else makes it another computation.
        finish: Activations, and the residual sum computed with it.
        px: Height and width of its input.
        channels: In and out; of squeeze-excite: outer and inner.
        parts: Groups of a convolution that is not depthwise; of a linear layer, MiB of traffic in its network.
    """

    group: str
    finish: str
    px: int
    channels: tuple[int, int]
    parts: int = 1

    @property
    def kind(self) -> str:
        """The first word of the key."""
        return self.group.split()[0]

    @property
    def window(self) -> int:
        """Pixels of the kernel."""
        word = next((word[1:] for word in self.group.split()[1:] if word[0] == "k" and word[1:2].isdigit()), "1")
        sides = [int(side) for side in word.split("x")]
        return sides[0] * sides[-1]

    def number(self, letter: str) -> int:
        """The number after a letter of the group, 1 where there is none: `k5`, `s2`."""
        found = (word[1:] for word in self.group.split()[1:] if word[0] == letter and word[1:].isdigit())
        return int(next(found, 1))


def signature(key: str) -> Signature:
    """Read a kernel's key.

    >>> signature("conv 24>72 14px k3 s2 relu")
    Signature(group='conv k3 s2', finish='relu', px=14, channels=(24, 72), parts=1)
    >>> signature("se 72 14px sq24 hsigmoid")
    Signature(group='se', finish='hsigmoid', px=14, channels=(72, 24), parts=1)
    >>> signature("conv 60>240 14px k1 g3 plain relu")
    Signature(group='conv k1 plain grouped', finish='relu', px=14, channels=(60, 240), parts=3)
    """
    kind, channels, size, *words = key.split()
    first, _, second = channels.partition(">")
    numbers = {word[: len(word.rstrip("0123456789"))]: word for word in words if word[-1].isdigit()}
    squeeze, groups, around = (int(numbers[name][len(name) :]) if name in numbers else 0 for name in ("sq", "g", "of"))
    shape = [word for word in words if word[0] in "ksd" and word[1:2].isdigit()] + ["plain"] * ("plain" in words)
    few = ["few"] if kind == "conv" and int(first) <= FEW else []
    group = " ".join([kind, *shape, *(["grouped"] if groups else []), *few])
    finish = " ".join(word for word in words if word not in shape and not _NUMBERED.fullmatch(word))
    return Signature(
        group, finish, int(size[:-2]), (int(first), int(squeeze or second or first)), groups or around or 1
    )


class Similar:
    """Prices of kernels from measured ones.

    Args:
        keys: Of the measured kernels.
        us: What they take, microseconds, (n,).
        sights: Networks each was seen in, (n,).
        grain: Channels that the runtime computes together.
    """

    def __init__(self, keys: Sequence[str], us: Floats, sights: Floats, *, grain: int) -> None:
        self._grain = grain
        us = np.maximum(us, LEAST_US)
        signatures = [signature(key) for key in keys]
        self._groups = {
            group: _Group([signatures[i] for i in own], us[own], sights[own], grain)
            for group, own in _by_group(signatures)
        }

    def us(self, keys: Sequence[str], *, kin: bool = False) -> Floats:
        """Posterior median of kernels, microseconds, (m,); NaN for those of a group of which none was measured.

        Args:
            keys: Of the kernels.
            kin: Price these by the work of the group that is most like theirs, where one is of their kind.
        """
        asked = [signature(key) for key in keys]
        prices = np.full(len(asked), np.nan)
        for group, own in _by_group(asked):
            found = group if group in self._groups or not kin else self._kin(group)
            if found in self._groups:
                prices[own] = self._groups[found].us([asked[i] for i in own])
        return prices

    def _kin(self, group: str) -> str:
        """The group of the same kind that shares the most words; empty where there is none."""
        kind, *words = group.split()
        alike = [name for name in self._groups if name.split()[0] == kind]
        return max(alike, key=lambda name: (len(set(words) & set(name.split())), -len(name)), default="")

    def sd(self, keys: Sequence[str]) -> Floats:
        """Posterior standard deviation of the logarithm, (m,)."""
        asked = [signature(key) for key in keys]
        variances = np.full(len(asked), TWIN_SD**2 + GROUP_SD**2)
        for group, own in _by_group(asked):
            if group in self._groups:
                variances[own] -= self._groups[group].told([asked[i] for i in own])
        sds: Floats = np.sqrt(np.maximum(variances, 0.0))
        return sds

    def likeness(self, keys: Sequence[str]) -> Floats:
        """Prior covariance of g over its variance: 1 for equal kernels, 0 for strangers; (m, m)."""
        asked = [signature(key) for key in keys]
        likeness = np.zeros((len(asked), len(asked)))
        for _, own in _by_group(asked):
            members = [asked[i] for i in own]
            likeness[np.ix_(own, own)] = _likeness(members, members, self._grain) / (TWIN_SD**2 + GROUP_SD**2)
        return likeness


class _Group:
    """The kernels of one group: f and g of kernels that are the same computation."""

    def __init__(self, members: Sequence[Signature], us: Floats, sights: Floats, grain: int) -> None:
        self._grain, self._members = grain, members
        relative = self._works(members) / us[:, None]
        size = np.maximum(relative.max(axis=0), 1e-300)
        self._slopes = nnls(relative / size, np.ones(len(members)))[0] / size
        covariance = _likeness(members, members, grain)
        covariance[np.diag_indices(len(members))] += SIGHT_SD**2 / sights
        self._factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
        self._weights = cho_solve(self._factor, np.log(us / self._trend(members)), check_finite=False)

    def us(self, asked: Sequence[Signature]) -> Floats:
        """Posterior median, microseconds, (m,)."""
        prices: Floats = self._trend(asked) * np.exp(_likeness(asked, self._members, self._grain) @ self._weights)
        return prices

    def told(self, asked: Sequence[Signature]) -> Floats:
        """Prior variance less posterior variance of the logarithm, (m,)."""
        alike = _likeness(self._members, asked, self._grain)
        white = solve_triangular(self._factor[0], alike, lower=True)
        told: Floats = np.einsum("nm,nm->m", white, white)
        return told

    def _trend(self, asked: Sequence[Signature]) -> Floats:
        """f, (m,)."""
        trend: Floats = np.maximum(self._works(asked) @ self._slopes, LEAST_US)
        return trend

    def _works(self, asked: Sequence[Signature]) -> Floats:
        """The terms of f, (m, terms)."""
        return np.array([_work(item, self._grain) for item in asked], dtype=float).reshape(-1, len(_WORK))


def _by_group(signatures: Sequence[Signature]) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Groups and the places of their members."""
    places: dict[str, list[int]] = {}
    for i, item in enumerate(signatures):
        places.setdefault(item.group, []).append(i)
    return ((group, np.array(own, dtype=np.intp)) for group, own in places.items())


def _likeness(left: Sequence[Signature], right: Sequence[Signature], grain: int) -> Floats:
    """Prior covariance of g among kernels of one group, (n, m)."""
    ends = {name: i for i, name in enumerate({item.finish for item in (*left, *right)})}
    finishes, px, places = zip(*(_coordinates(side, ends, grain) for side in (left, right)), strict=True)
    apart = np.zeros((len(left), len(right)))
    for one, other in zip(places[0].T, places[1].T, strict=True):
        apart += (one[:, None] - other[None]) ** 2
    apart_px = (px[0][:, None] - px[1][None]) ** 2
    twins = (finishes[0][:, None] == finishes[1][None]) & (apart_px == 0)
    likeness: Floats = GROUP_SD**2 * np.exp(-0.5 * (apart + apart_px)) + TWIN_SD**2 * np.where(
        twins, np.exp(-0.5 * apart), 0
    )
    return likeness


def _coordinates(
    side: Sequence[Signature], ends: dict[str, int], grain: int
) -> tuple[NDArray[np.int64], Floats, Floats]:
    channels = np.array([item.channels for item in side], dtype=float).reshape(-1, 2)
    parts = np.array([item.parts for item in side], dtype=float)[:, None]
    grains = np.ceil(channels / grain)
    padded = (channels % grain != 0).astype(float) + (channels < grain)
    return (
        np.array([ends[item.finish] for item in side]),
        np.log([float(item.px) for item in side]) / PX_REACH,
        np.concatenate([np.log(grains) / WIDTH_REACH, padded / PADDED_REACH, np.log(parts) / WIDTH_REACH], axis=1),
    )


_WORK = ("call", "input", "output", "macs", "weights", "sum", "own pass", "curved")
UNCACHED_MIB = 64  # traffic of a network from which on its weights come from memory
_OWN_PASS = frozenset({"swish", "gelu"})  # activations that run as a node of their own
_CURVED = frozenset({"hswish", "hsigmoid", "sigmoid", "tanh"})


def _work(item: Signature, grain: int) -> tuple[float, ...]:
    """The terms of f, in `_WORK`'s order, with channels in whole grains."""
    first, second = (-(-count // grain) * grain for count in item.channels)
    in_px, out_px = item.px**2, (item.px / item.number("s")) ** 2
    words = set(item.finish.split())
    written = second * out_px
    passes = (
        written * ("+sum" in words),
        written * bool(words & _OWN_PASS),
        written * bool(words & _CURVED),
    )
    match item.kind:
        case "conv" if "few" in item.group:
            return 1, item.channels[0] * in_px, written, item.channels[0] * written * item.window, 0, *passes
        case "conv":
            weights = first * second * item.window / item.parts
            return 1, first * in_px, written, weights * out_px, weights, *passes
        case "dw":
            return 1, first * in_px, first * out_px, first * item.window * out_px, 0, *passes
        case "se":
            return 1, first * in_px, first, first * second, second, 0, 0, 0
        case "linear":
            macs = item.channels[0] * item.channels[1] * in_px
            return 1, item.channels[0] * in_px, second, macs, macs * min(1.0, item.parts / UNCACHED_MIB), 0, 0, 0
        case "max_pool" | "avg_pool":
            return 1, first * in_px, first * out_px, first * item.window * out_px, 0, 0, 0, 0
        case _:
            return 1, first * in_px, written, 0, 0, *passes
