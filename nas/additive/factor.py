"""A table of costs over few variables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Factor:
    """A table of costs over few variables.

    Attributes:
        scope: The variables, ascending.
        cost: Shape (size of each variable of the scope); infinite: forbidden.
    """

    scope: tuple[int, ...]
    cost: Floats


def spread(factor: Factor, scope: tuple[int, ...]) -> Floats:
    """A factor's table as an array that broadcasts over a scope."""
    order = sorted(range(len(factor.scope)), key=lambda k: scope.index(factor.scope[k]))
    lengths = {factor.scope[k]: factor.cost.shape[k] for k in order}
    return factor.cost.transpose(order).reshape([lengths.get(v, 1) for v in scope])
