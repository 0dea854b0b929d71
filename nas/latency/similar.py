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

from collections.abc import Sequence
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

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a key says.

    Attributes:
        group: Kind, kernel, stride and whatever else makes it another computation.
        finish: Activations, and the residual sum computed with it.
        px: Height and width of its input.
        channels: In and out; of squeeze-excite: outer and inner.
    """

    group: str
    finish: str
    px: int
    channels: tuple[int, int]

    @property
    def kind(self) -> str:
        """The first word of the key."""
        return self.group.split()[0]

    def number(self, letter: str) -> int:
        """The number after a letter of the group, 1 where there is none: `k5`, `s2`."""
        found = (word[1:] for word in self.group.split()[1:] if word[0] == letter and word[1:].isdigit())
        return int(next(found, 1))


def signature(key: str) -> Signature:
    """Read a kernel's key.

    >>> signature("conv 24>72 14px k3 s2 relu")
    Signature(group='conv k3 s2', finish='relu', px=14, channels=(24, 72))
    >>> signature("se 72 14px sq24 hsigmoid")
    Signature(group='se', finish='hsigmoid', px=14, channels=(72, 24))
    """
    kind, channels, size, *words = key.split()
    first, _, second = channels.partition(">")
    squeeze = next((word[2:] for word in words if word.startswith("sq")), "")
    shape = [word for word in words if any(char.isdigit() for char in word) and not _is_act(word)]
    group = [kind, *(word for word in shape if not word.startswith("sq"))]
    finish = [word for word in words if word not in shape]
    return Signature(" ".join(group), " ".join(finish), int(size[:-2]), (int(first), int(squeeze or second or first)))


def _is_act(word: str) -> bool:
    return word == "relu6"


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
        self._signatures = [signature(key) for key in keys]
        us = np.maximum(us, LEAST_US)
        self._trends = self._fit_trends(us)
        residual = np.log(us / self._trend(self._signatures))
        covariance = self._likeness(self._signatures, self._signatures)
        covariance[np.diag_indices(len(keys))] += SIGHT_SD**2 / sights
        self._factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
        self._weights = cho_solve(self._factor, residual, check_finite=False)

    def us(self, keys: Sequence[str]) -> Floats:
        """Posterior median of kernels, microseconds, (m,); NaN for those of a group of which none was measured."""
        asked = [signature(key) for key in keys]
        prices: Floats = self._trend(asked) * np.exp(self._likeness(asked, self._signatures) @ self._weights)
        return prices

    def sd(self, keys: Sequence[str]) -> Floats:
        """Posterior standard deviation of the logarithm, (m,)."""
        asked = [signature(key) for key in keys]
        white = solve_triangular(self._factor[0], self._likeness(self._signatures, asked), lower=True)
        variance: Floats = TWIN_SD**2 + GROUP_SD**2 - np.einsum("nm,nm->m", white, white)
        return np.sqrt(np.maximum(variance, 0.0))

    def likeness(self, keys: Sequence[str]) -> Floats:
        """Prior covariance of g over its variance: 1 for equal kernels, 0 for strangers; (m, m)."""
        asked = [signature(key) for key in keys]
        likeness: Floats = self._likeness(asked, asked) / (TWIN_SD**2 + GROUP_SD**2)
        return likeness

    def _fit_trends(self, us: Floats) -> dict[str, Floats]:
        groups = np.array([item.group for item in self._signatures])
        works = self._works(self._signatures)
        trends = {}
        for group in dict.fromkeys(groups.tolist()):
            own = groups == group
            relative = works[own] / us[own, None]
            size = np.maximum(relative.max(axis=0), 1e-300)
            trends[group] = nnls(relative / size, np.ones(int(own.sum())))[0] / size
        return trends

    def _trend(self, asked: Sequence[Signature]) -> Floats:
        """f, (m,); NaN for unknown groups."""
        unknown = np.full(len(_WORK), np.nan)
        slopes = np.array([self._trends.get(item.group, unknown) for item in asked]).reshape(-1, len(_WORK))
        trend: Floats = np.maximum(np.einsum("mk,mk->m", slopes, self._works(asked)), LEAST_US)
        return trend

    def _works(self, asked: Sequence[Signature]) -> Floats:
        """The terms of f, (m, terms)."""
        return np.array([_work(item, self._grain) for item in asked], dtype=float).reshape(-1, len(_WORK))

    def _likeness(self, left: Sequence[Signature], right: Sequence[Signature]) -> Floats:
        """Prior covariance of g, (n, m)."""
        names = {name: i for i, name in enumerate({item.group for item in (*left, *right)})}
        ends = {name: i for i, name in enumerate({item.finish for item in (*left, *right)})}
        groups, finishes, px, places = zip(
            *(self._coordinates(side, names, ends) for side in (left, right)), strict=True
        )
        apart = ((places[0][:, None] - places[1][None]) ** 2).sum(axis=-1)
        apart_px = (px[0][:, None] - px[1][None]) ** 2
        twins = (finishes[0][:, None] == finishes[1][None]) & (apart_px == 0)
        likeness = GROUP_SD**2 * np.exp(-0.5 * (apart + apart_px)) + TWIN_SD**2 * np.where(
            twins, np.exp(-0.5 * apart), 0
        )
        return np.where(groups[0][:, None] == groups[1][None], likeness, 0.0)

    def _coordinates(
        self, side: Sequence[Signature], names: dict[str, int], ends: dict[str, int]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
        channels = np.array([item.channels for item in side], dtype=float).reshape(-1, 2)
        grains = np.ceil(channels / self._grain)
        padded = (channels % self._grain != 0).astype(float) + (channels < self._grain)
        return (
            np.array([names[item.group] for item in side]),
            np.array([ends[item.finish] for item in side]),
            np.log([float(item.px) for item in side]) / PX_REACH,
            np.concatenate([np.log(grains) / WIDTH_REACH, padded / PADDED_REACH], axis=1),
        )


_WORK = ("call", "input", "output", "macs", "weights")


def _work(item: Signature, grain: int) -> tuple[float, ...]:
    """The terms of f, in `_WORK`'s order, with channels in whole grains."""
    first, second = (-(-count // grain) * grain for count in item.channels)
    in_px, out_px = item.px**2, (item.px / item.number("s")) ** 2
    window = item.number("k") ** 2
    match item.kind:
        case "conv":
            return 1, first * in_px, second * out_px, first * second * window * out_px, first * second * window
        case "dw":
            return 1, first * in_px, first * out_px, first * window * out_px, 0
        case "se":
            return 1, first * in_px, first, first * second, second
        case "linear":
            return 1, first, second, first * second, 0
        case _:
            return 1, first * in_px, second * out_px, 0, 0
