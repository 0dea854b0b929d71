"""The decomposition of a latency: a sum of tables over few decisions each, whose sum is the latency of any network.

Three ways to find it, by what the latency offers: an `AdditiveLatency` names a table a decision; a latency with a
`breakdown` is probed layer by layer (`nas.additive`); of a bare callable only the total is seen (`interactions`).
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np

from nas.additive.decomposition import Decomposition, holds, tabulate
from nas.additive.factor import Factor
from nas.additive.probing import EXISTS, Prober
from nas.additive.tables import TooWideError
from nas.searcher.choice_space import AdditiveLatency, ChoiceSpace, latency_ms
from nas.searcher.interactions import interaction_factors
from nas.searcher.nearby import Latency
from nas.space import Choice, Space

TOLERANCE = 1e-6  # relative: how far the sum of the tables may be from the latency


class _Share(Protocol):
    @property
    def layer(self) -> str: ...
    @property
    def ms(self) -> float: ...


def decompose(space: Space[Any], latency: Latency) -> Decomposition | None:
    """Find the tables; None when their sum is not the latency, or when there would be too many rows.

    Builds some hundred networks, up to a few thousand where widths and resolutions are elastic.

    Networks for which the latency raises InputError (a table without a row) are left out where they are few.

    Raises:
        InputError: As the latency does, where they are many or the largest network is one.
    """
    if isinstance(latency, AdditiveLatency) and isinstance(space, ChoiceSpace):
        return _by_decision(space.decisions, latency)
    breakdown = _breakdown_of(latency)
    prober = Prober(space=space, read=_reader(breakdown), rng=random.Random(0))
    try:
        found = tabulate(prober)
        if isinstance(latency, AdditiveLatency):
            found = _with(found, _prices(found, latency))
        elif breakdown is None:
            conditions = {name: prober.scopes[EXISTS + name] for name in prober.conditional()}
            factors = interaction_factors(space, latency, options=prober.options, conditions=conditions)
            found = _with(found, factors)
    except TooWideError:
        return None
    return found if holds(found, space, functools.partial(latency_ms, latency), tolerance=TOLERANCE) else None


def _reader(breakdown: Callable[[Any], Sequence[_Share]] | None) -> Callable[[Any], dict[str, float]]:
    def read(built: object) -> dict[str, float]:
        outputs: dict[str, float] = {}
        for share in breakdown(built) if breakdown else ():
            outputs[share.layer] = outputs.get(share.layer, 0.0) + share.ms
        return outputs

    return read


def _breakdown_of(latency: Latency) -> Callable[[Any], Sequence[_Share]] | None:
    """The latency's `breakdown`, or that of the object whose method it is (`model.arch_ms`)."""
    owner = latency if hasattr(latency, "breakdown") else getattr(latency, "__self__", None)
    return cast("Callable[[Any], Sequence[_Share]] | None", getattr(owner, "breakdown", None))


def _by_decision(decisions: Mapping[str, Sequence[Choice]], latency: AdditiveLatency) -> Decomposition:
    bare = Decomposition(names=tuple(decisions), values=tuple(tuple(o) for o in decisions.values()), factors=())
    return _with(bare, _prices(bare, latency))


def _prices(found: Decomposition, latency: AdditiveLatency) -> list[Factor]:
    latency.check(found.names)
    costs = [
        [0.0 if value is None else latency.price(name, value) for value in values]
        for name, values in zip(found.names, found.values, strict=True)
    ]
    base = Factor(scope=(), cost=np.array(latency.base_ms))
    return [base, *(Factor(scope=(v,), cost=np.array(cost)) for v, cost in enumerate(costs))]


def _with(found: Decomposition, factors: Sequence[Factor]) -> Decomposition:
    return Decomposition(names=found.names, values=found.values, factors=(*found.factors, *factors))
