"""An evaluator's scores, drawn halfway to what a zero-cost score makes one expect.

A supernet and a score of untrained networks err for different reasons, so their mean ranks better than either (White et
al., "How Powerful are Performance Predictors in Neural Architecture Search?", 2021, on sums of such predictors):

    blended = (score + mean + sd * (z - z_mean) / z_sd) / 2

with the means and standard deviations of both over the same reference networks, so that a blended score is still one of
the evaluator's kind: an accuracy where that is one. Nothing is fitted to trained networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from nas.accuracy.evaluator import Evaluator
from nas.accuracy.proxy import ProxyEvaluator
from nas.arch import Arch, digest

REFERENCES = 32  # networks


class Blended:
    """Scores by an evaluator and a zero-cost score together."""

    def __init__(self, evaluator: Evaluator, proxy: ProxyEvaluator, references: Sequence[Arch]) -> None:
        """Join them.

        Args:
            evaluator: Whose scores are drawn halfway to the expected ones.
            proxy: What expects.
            references: Networks of the space, spread over it; scored by both at the first call. At least one.
        """
        self._evaluator, self._proxy, self._references = evaluator, proxy, tuple(references)
        self.name = f"{evaluator.name} and {proxy.name}"
        self.is_accuracy = evaluator.is_accuracy

    @cached_property
    def identity(self) -> str:
        """Of both, and of the reference networks."""
        own = " ".join(map(digest, self._references))
        return f"{self._evaluator.identity} blended with {self._proxy.identity} over {own}"

    def __call__(self, arch: Arch) -> float:
        """The blended score.

        Raises:
            InputError, StorageError, TooManyFailuresError: As the evaluator and the zero-cost score.
        """
        slope, offset = self._line
        blended = (self._evaluator(arch) + offset + slope * self._proxy(arch)) / 2
        return min(max(blended, 0.0), 1.0) if self.is_accuracy else blended

    def scores(self, archs: Sequence[Arch]) -> list[float]:
        """Of several networks."""
        return [self(arch) for arch in archs]

    def standard_error(self, score: float) -> float | None:
        """The evaluator's: what the images leave open; whether the zero-cost score expects rightly is not in it."""
        return self._evaluator.standard_error(score)

    @cached_property
    def _line(self) -> tuple[float, float]:
        """Slope and offset from zero-cost scores to the evaluator's."""
        cheap, own = (np.array(score.scores(self._references)) for score in (self._proxy, self._evaluator))
        slope = float(own.std() / cheap.std()) if cheap.std() else 0.0
        return slope, float(own.mean() - slope * cheap.mean())
