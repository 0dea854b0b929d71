"""An evaluator's scores, drawn towards what a zero-cost score makes one expect.

A supernet and a score of untrained networks err for different reasons, so their mean ranks better than either (on sums
of such predictors: White et al., "How Powerful are Performance Predictors in Neural Architecture Search?", 2021):

    blended = (1 - share) * score + share * (mean + sd * (z - z_mean) / z_sd)

with the means and standard deviations of both over the same reference networks, so that a blended score is still one of
the evaluator's kind: an accuracy where that is one. Nothing is fitted to trained networks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from nas.accuracy.evaluator import Evaluator
from nas.accuracy.proxy import ProxyEvaluator
from nas.arch import Arch, digest

REFERENCES = 32  # networks
BLEND_SHARE = 0.6  # of the zero-cost score; 0.5 to 0.75 rank alike (measured on scripts/supernet_truth.json)


class Blended:
    """Scores by an evaluator and a zero-cost score together."""

    def __init__(
        self, evaluator: Evaluator, proxy: ProxyEvaluator, references: Sequence[Arch], *, share: float = BLEND_SHARE
    ) -> None:
        """Join them.

        Args:
            evaluator: Whose scores are drawn towards the expected ones.
            proxy: What expects.
            references: Networks of the space, spread over it; scored by both at the first call. At least one.
            share: How far, 0 to 1.
        """
        self._evaluator, self._proxy, self._references = evaluator, proxy, tuple(references)
        self._share = share
        self.name = f"{evaluator.name} and {proxy.name}"
        self.is_accuracy = evaluator.is_accuracy

    @cached_property
    def identity(self) -> str:
        """Of both, and of the reference networks."""
        own = hashlib.sha256(" ".join(map(digest, self._references)).encode()).hexdigest()[:12]
        return f"{self._evaluator.identity} blended {self._share:g} with {self._proxy.identity} over {own}"

    def __call__(self, arch: Arch) -> float:
        """The blended score.

        Raises:
            InputError, StorageError, TooManyFailuresError: As the evaluator and the zero-cost score.
        """
        slope, offset = self._line
        expected = offset + slope * self._proxy(arch)
        blended = (1 - self._share) * self._evaluator(arch) + self._share * expected
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
