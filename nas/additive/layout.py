"""The decisions of a space as columns of codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.space import Choice, Choices

Value = Choice | None  # None: the decision is not asked for
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """The decisions of a space, each a column; a network is a row of positions of values, its code.

    Attributes:
        names: Decisions, in order.
        values: Of each decision; None among them where some networks do not ask for it.
    """

    names: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...]

    def code(self, choices: Mapping[str, Choice]) -> tuple[int, ...]:
        """Positions of the chosen values.

        Raises:
            ValueError: A choice is not one of the space's.
        """
        return tuple(values.index(choices.get(name)) for name, values in zip(self.names, self.values, strict=True))

    def choices(self, code: Sequence[int]) -> Choices:
        """The choices of a network that its code stands for."""
        found = ((name, values[i]) for name, values, i in zip(self.names, self.values, code, strict=True))
        return {name: value for name, value in found if value is not None}

    def allowed(self, name: str, option: Choice) -> tuple[int, ...]:
        """Positions at which a decision has an option or is not asked for."""
        values = self.values[self.names.index(name)]
        return tuple(i for i, value in enumerate(values) if value is None or value == option)

    def agrees(self, codes: Codes, fixed: Mapping[str, Choice]) -> NDArray[np.bool_]:
        """Which networks have the fixed decisions, where they ask for them, (n,)."""
        agree = np.ones(len(codes), dtype=bool)
        for name, option in fixed.items():
            agree &= np.isin(codes[:, self.names.index(name)], self.allowed(name, option))
        return agree
