"""A zero-cost score as a cheap first filter before an expensive evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.accuracy.evaluator import Evaluator
from nas.accuracy.proxy import ProxyEvaluator, require_proxy
from nas.arch import Arch
from nas.errors import DeclinedError, InputError

FIRST = 10  # candidates that pass in any case: a quantile of fewer means little


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which candidates are worth the expensive score.

    Attributes:
        proxy: A name of `nas.accuracy.zero_cost.PROXIES`.
        share: Of the candidates that pass, above 0 and at most 1.

    Raises:
        InputError: A value is out of range.
    """

    proxy: str
    share: float

    def __post_init__(self) -> None:
        require_proxy(self.proxy, "accuracy.filter")
        if not 0 < self.share <= 1:
            raise InputError(
                f"accuracy.filter_share = {self.share:g}: the share that passes, must be above 0 and at most 1"
            )


class Filtered:
    """Asks an evaluator about candidates that a zero-cost score puts among the best share of those seen so far.

    What the search sees of the others: they are declined (`DeclinedError`): neither scored nor failed, not counted as
    trials, and not proposed again. No score is made up for them.
    """

    def __init__(self, evaluator: Evaluator, proxy: ProxyEvaluator, *, share: float) -> None:
        """Put a filter before an evaluator.

        Args:
            evaluator: The expensive one.
            proxy: The cheap one.
            share: Of the candidates that pass.
        """
        self._evaluator, self._proxy, self._share = evaluator, proxy, share
        self.filter = proxy.name
        self.name = f"{evaluator.name}, after {proxy.name}"
        self.identity = f"{evaluator.identity} filtered {share:g} {proxy.identity}"
        self.is_accuracy = evaluator.is_accuracy

    def __call__(self, arch: Arch) -> float:
        """The evaluator's score.

        Raises:
            DeclinedError: The candidate is not worth it.
        """
        cheap = self._proxy(arch)
        seen = self._proxy.seen()
        if len(seen) > FIRST:
            least = float(np.quantile(seen, 1 - self._share))
            if cheap < least:
                raise DeclinedError(f"{self._proxy.name} {cheap:.4g} is below {least:.4g}, that of the best share")
        return self._evaluator(arch)

    def candidates(self) -> int:
        """Candidates that came to the filter, in all processes."""
        return len(self._proxy.seen())

    def scores(self, archs: Sequence[Arch]) -> list[float]:
        """The evaluator's scores, of all that are asked for: who names them wants them."""
        return self._evaluator.scores(archs)

    def standard_error(self, score: float) -> float | None:
        """The evaluator's."""
        return self._evaluator.standard_error(score)
