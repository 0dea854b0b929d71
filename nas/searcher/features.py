"""What the Gaussian process reads off a network: its decisions as ordinal features, and a few numbers of the whole.

Options describe themselves: `k5 e3 se hswish` is a kernel of 5, an expansion of 3, SE and an activation; `mbconv_3x3`,
128 and 0.75 are read the same way. Options that say nothing are merely different.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from nas.additive.layout import Layout, Value
from nas.searcher.gp import Array, Codes, Encoded, Metric

OFF = "off"
CHUNK = 3  # decisions a stage, where names tell none
_WORD = re.compile(r"([A-Za-z]*)(\d+(?:\.\d+)?)|([A-Za-z]+)")


def option_features(option: Value) -> dict[str, float]:
    """Features of one option by name; numbers by log(1 + number), because sizes act by their ratios.

    >>> sorted(option_features("k3 e6 se"))
    ['e', 'k', 'se']
    >>> option_features("identity"), option_features(None), option_features(0)
    ({'identity': 1.0}, {'off': 1.0}, {'': 0.0})
    """
    if option is None:
        return {OFF: 1.0}
    if not isinstance(option, str):
        return {"": _size(float(option))}
    found: dict[str, float] = {}
    for name, number, word in _WORD.findall(option):
        key = word or name
        while key in found:
            key += "'"
        found[key] = _size(float(number)) if number else 1.0
    return found


def _size(number: float) -> float:
    return math.log1p(number) if number >= 0 else number


class Features:
    """Turns codes into what the kernel reads, standardised over given networks.

    Args:
        layout: The decisions.
        codes: (n, L) networks that means and deviations are taken from.
        costs: (n, c) numbers of these networks beside their decisions; c may be 0.
    """

    def __init__(self, layout: Layout, codes: Codes, costs: Array) -> None:
        tables = [[option_features(value) for value in values] for values in layout.values]
        vocabulary = sorted({name for table in tables for features in table for name in features})
        self._columns = [
            np.array([[features.get(name, 0.0) for name in vocabulary] for features in table]) for table in tables
        ]
        self._stages = stages(layout.names)
        self.metric = Metric([_steps(columns) for columns in self._columns])
        self._wide = _Scale(self._whole(codes, costs))
        self._staged = _Scale(self._per_stage(codes))

    def encode(self, codes: Codes, costs: Array) -> Encoded:
        """What the kernel reads of networks."""
        return Encoded(codes, self._wide(self._whole(codes, costs)), self._staged(self._per_stage(codes)))

    def _whole(self, codes: Codes, costs: Array) -> Array:
        return np.concatenate([costs, self._sums(codes, range(len(self._columns)))], axis=1)

    def _per_stage(self, codes: Codes) -> Array:
        sums = [self._sums(codes, stage) for stage in self._stages]
        return np.concatenate([np.zeros((len(codes), 0)), *sums], axis=1)

    def _sums(self, codes: Codes, decisions: Sequence[int]) -> Array:
        total = np.zeros((len(codes), self._columns[0].shape[1]))
        for decision in decisions:
            total += self._columns[decision][codes[:, decision]]
        return total


class _Scale:
    """Columns to mean 0 and deviation 1; constant and repeated columns are left out."""

    def __init__(self, columns: Array) -> None:
        spread = columns.std(axis=0)
        varied = np.flatnonzero(spread > 1e-9 * (1 + np.abs(columns).max(axis=0, initial=0.0)))
        scaled = (columns[:, varied] - columns[:, varied].mean(axis=0)) / spread[varied]
        alike = np.abs(scaled.T @ scaled) / max(1, len(columns)) > 1 - 1e-9
        first = [i for i in range(len(varied)) if not alike[i, :i].any()]
        self._kept = varied[first]
        self._mean, self._spread = columns[:, self._kept].mean(axis=0), spread[self._kept]

    def __call__(self, columns: Array) -> Array:
        scaled: Array = (columns[:, self._kept] - self._mean) / self._spread
        return scaled


def stages(names: Sequence[str]) -> list[list[int]]:
    """Positions of the decisions of each stage: by the first part of their names, or a few neighbours at a time.

    >>> stages(["size", "s0.b0", "s0.b1", "s1.b0", "s1.b1"]), stages(["a0", "a1", "a2", "a3"])
    ([[1, 2], [3, 4]], [[0, 1, 2], [3]])
    """
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        groups.setdefault(re.split(r"[./_-]", name)[0], []).append(i)
    named = [group for group in groups.values() if len(group) > 1]
    if len(named) > 1:
        return named
    return [list(range(i, min(i + CHUNK, len(names)))) for i in range(0, len(names), CHUNK)]


def _steps(columns: Array) -> Array:
    """Squared distances between the values of one decision, each feature scaled to [0, 1], the largest distance 1."""
    low, high = columns.min(axis=0), columns.max(axis=0)
    varied = (columns - low)[:, high > low] / (high - low)[high > low]
    kept: list[Array] = []
    for column in varied.T:
        if not any(np.allclose(column, other) or np.allclose(column, 1 - other) for other in kept):
            kept.append(column)
    scaled = np.array(kept).T if kept else np.zeros((len(columns), 0))
    steps = ((scaled[:, None] - scaled[None]) ** 2).sum(axis=2)
    if (steps == 0).sum() > len(steps):  # some options do not differ in what they say
        steps = steps + 1 - np.eye(len(steps))
    return np.asarray(steps / max(steps.max(), 1e-12))
