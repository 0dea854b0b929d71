"""Any function from an architecture to a number as an evaluator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from nas.accuracy.evaluator import Evaluate
from nas.accuracy.kept import Kept
from nas.arch import Arch
from nas.errors import InputError


class CallableEvaluator:
    """Scores by somebody else's function; equal networks once."""

    def __init__(
        self,
        evaluate: Evaluate,
        *,
        name: str,
        identity: str,
        is_accuracy: bool = False,
        folder: Path | None = None,
    ) -> None:
        """Wrap a function.

        Args:
            evaluate: Higher is better.
            name: For reports.
            identity: Equal where its scores may be compared.
            is_accuracy: Whether they are shares of validation images classified rightly.
            folder: Where scores are kept for other processes and later runs; None keeps them in memory.
        """
        self.name, self.identity, self.is_accuracy = name, identity, is_accuracy
        self._evaluate = evaluate
        self._kept = Kept(folder and folder / "callable.json", identity)

    def __call__(self, arch: Arch) -> float:
        """The function's score.

        Raises:
            InputError: It is no finite number.
            StorageError: The score cannot be kept.
        """
        return self._kept.once(arch, lambda: (self._score(arch),))[0]

    def scores(self, archs: Sequence[Arch]) -> list[float]:
        """Scores of several networks."""
        return [self(arch) for arch in archs]

    def standard_error(self, score: float) -> None:
        """None: what the function's scores vary by is not known."""
        return

    def _score(self, arch: Arch) -> float:
        score = float(self._evaluate(arch))
        if not math.isfinite(score):
            raise InputError(f"{self.name} gave {score}; a score must be a finite number, higher is better")
        return score
