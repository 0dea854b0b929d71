"""A latency model compiled for one space: milliseconds by array look-ups, without building a network.

Rows of a table are whole multiples of 1e-4 us, so sums of them counted in these units are exact in float64 whatever
their order; the scale is applied once, at the end. That is why a compiled model gives the very numbers that
`LatencyModel.arch_ms` gives.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas.additive.decomposition import holds, tabulate
from nas.additive.factor import Floats
from nas.additive.layout import Codes
from nas.additive.lookup import Lookup, lookup
from nas.additive.probing import Prober
from nas.additive.tables import TooWideError
from nas.arch import Arch
from nas.latency.model import UNITS_PER_MS, LatencyModel
from nas.space import Choice, Choices, SearchSpace


@dataclass(frozen=True, kw_only=True, slots=True)
class CompiledModel:
    """Milliseconds of a space's networks, from their decisions.

    Attributes:
        scale: The calibration: measured over summed.
        tables: Units of 1e-4 us.
    """

    scale: float
    tables: Lookup

    def codes(self, choices: Sequence[Mapping[str, Choice]]) -> Codes:
        """Networks as rows of small integers, (n, decisions): positions of the options chosen.

        Args:
            choices: What `nas.space.record` returns for each network.

        Raises:
            InputError: A choice is none of the decision's options, or one that every network takes is missing.
        """
        return self.tables.codes(choices)

    def ms(self, codes: Codes) -> Floats:
        """Milliseconds of networks, (n,), as `LatencyModel.arch_ms` gives them to the last bit.

        Infinite where the runtime refuses a network or a row is lacking, and where the codes are those of no network
        (a block beyond the depth).

        Args:
            codes: (n, decisions).

        Raises:
            InputError: A code is not a position of its decision's options.
        """
        total: Floats = self.scale * self.tables.total(codes) / UNITS_PER_MS
        return total

    def one_ms(self, choices: Mapping[str, Choice]) -> float:
        """As `ms`, of one network.

        Raises:
            InputError: As for `codes`.
        """
        return self.scale * self.tables.one_total(choices) / UNITS_PER_MS


def compile_model(model: LatencyModel, space: SearchSpace) -> CompiledModel | None:
    """Tabulate a model over the decisions of a space.

    Builds some hundred networks, up to a few thousand where widths and resolutions are elastic.

    Returns:
        None where a kernel depends on too many decisions, or the space decides by chance or by state.

    Raises:
        InputError: The table lacks rows for many of the space's networks, or for the largest.
    """

    def units(arch: Arch) -> dict[str, float]:
        found: dict[str, float] = {}
        for layer, count in model.units(arch):
            found[layer] = found.get(layer, 0.0) + count
        return found

    def total(arch: Arch, _choices: Choices) -> float:
        return sum(units(arch).values())

    try:
        found = tabulate(Prober(space=space, read=units, rng=random.Random(0)))
    except TooWideError:
        return None
    return CompiledModel(scale=model.scale, tables=lookup(found)) if holds(found, space, total) else None
