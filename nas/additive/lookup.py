"""The tables of a decomposition laid end to end, to add them up for many networks at once.

Glossary:
    L, F  decisions, tables with a scope.
    code  (L,) positions of a network's values, one a decision.
    cell  a place in the joined tables: `start + code . stride` of a table is the cell that a network reads of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas.additive.decomposition import Decomposition
from nas.additive.factor import Floats
from nas.additive.layout import Codes, Value
from nas.errors import InputError, did_you_mean
from nas.space import Choice

BLOCK = 2048  # networks added up at a time: what they read of the tables stays in the cache


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookup:
    """Joined tables.

    Attributes:
        places: Decision -> value -> position.
        sizes: (L,) number of values of each decision.
        strides: (L, F) cells between two neighbouring values of a decision; as floats, for the BLAS.
        starts: (F,) first cell of each table.
        cells: All tables, flat; infinite where no network is.
        constant: Of every network.
    """

    places: Mapping[str, Mapping[Value, int]]
    sizes: Codes
    strides: Floats
    starts: Floats
    cells: Floats
    constant: float

    def codes(self, choices: Sequence[Mapping[str, Choice]]) -> Codes:
        """Codes of the networks that choices are recorded from, (n, L).

        Raises:
            InputError: A choice is none of the decision's options, or one that every network takes is missing.
        """
        try:
            columns = [[place[one.get(name)] for one in choices] for name, place in self.places.items()]
        except KeyError:
            raise self._wrong(choices) from None
        return np.array(columns, dtype=np.int64).reshape(len(self.places), len(choices)).T

    def total(self, codes: Codes) -> Floats:
        """Sum of the tables for codes (n, L), (n,); infinite where there is no such network.

        Raises:
            InputError: A code is not a position of its decision's values.
        """
        if codes.shape[1:] != self.sizes.shape or not ((codes >= 0) & (codes < self.sizes)).all():
            raise InputError(
                f"codes {codes.shape} must be (n, {len(self.sizes)}), from 0 to below {self.sizes.tolist()}"
            )
        blocks = [self._total(codes[i : i + BLOCK]) for i in range(0, len(codes), BLOCK)]
        return np.concatenate([np.zeros(0), *blocks])

    def one_total(self, choices: Mapping[str, Choice]) -> float:
        """As `total`, of one network.

        Raises:
            InputError: As for `codes`.
        """
        return float(self._total(self.codes([choices]))[0])

    def _total(self, codes: Codes) -> Floats:
        read = codes.astype(np.float64) @ self.strides + self.starts
        total: Floats = self.constant + self.cells.take(read.astype(np.intp)).sum(axis=1)
        return total

    def _wrong(self, choices: Sequence[Mapping[str, Choice]]) -> InputError:
        """What is wrong with choices that have no code."""
        one, name = next((one, name) for one in choices for name, at in self.places.items() if one.get(name) not in at)
        if name not in one:
            return InputError(f"no choice for '{name}'{did_you_mean(name, one)}")
        options = [option for option in self.places[name] if option is not None]
        return InputError(f"choice '{name}' = {one[name]!r} is not one of {options}")


def lookup(found: Decomposition) -> Lookup:
    """Join the tables of a decomposition."""
    factors = [factor for factor in found.factors if factor.scope]
    strides = np.zeros((len(found.names), len(factors)))
    for f, factor in enumerate(factors):
        for axis, v in enumerate(factor.scope):
            strides[v, f] = math.prod(factor.cost.shape[axis + 1 :])
    sizes = [factor.cost.size for factor in factors]
    return Lookup(
        places={
            name: {value: i for i, value in enumerate(values)}
            for name, values in zip(found.names, found.values, strict=True)
        },
        sizes=np.array([len(values) for values in found.values], dtype=np.int64),
        strides=strides,
        starts=np.cumsum([0.0, *sizes])[:-1],
        cells=np.concatenate([np.zeros(0), *(factor.cost.ravel() for factor in factors)]),
        constant=math.fsum(float(factor.cost) for factor in found.factors if not factor.scope),
    )
