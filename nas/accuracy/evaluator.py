"""`Evaluator`: what the search asks how good a network is; the ways to answer are this room's other files."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from nas.arch import Arch

Evaluate = Callable[[Arch], float]  # higher is better; an accuracy in [0, 1] unless the evaluator says otherwise


class Evaluator(Protocol):
    """Scores networks, equal ones once.

    Attributes:
        name: For reports: `supernet`, `zero_cost naswot`.
        identity: Equal where scores may be compared.
        is_accuracy: Whether a score estimates the share of validation images classified rightly.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - in the class's docstring, as the next two
    @property
    def identity(self) -> str: ...  # noqa: D102
    @property
    def is_accuracy(self) -> bool: ...  # noqa: D102

    def __call__(self, arch: Arch) -> float:
        """Score one network."""
        ...

    def scores(self, archs: Sequence[Arch]) -> list[float]:
        """Score several, in their order."""
        ...

    def standard_error(self, score: float) -> float | None:
        """Standard error of a score by the images it was taken on; None where it has none that is known."""
        ...


def standard_error(accuracy: float, images: int) -> float:
    """Standard error of an accuracy measured on a number of images.

    >>> round(standard_error(0.9, 1000), 4)
    0.0095
    """
    return math.sqrt(accuracy * (1 - accuracy) / images)
