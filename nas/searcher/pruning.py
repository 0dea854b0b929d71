"""Early stopping by Optuna's percentile pruner, as a pure function of learning curves: no study outlives the question.

So any number of processes can ask, with whatever curves they have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.pruners import PercentilePruner
from optuna.trial import TrialState, create_trial

from nas.errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruner:
    """Tells whether a candidate's training is worth going on with.

    Attributes:
        kept_share: Share of the candidates before it that it must be among after as many epochs; 1 stops none.
        first: Candidates that are trained to the end before any is stopped.

    Raises:
        InputError: A value is out of range.
    """

    kept_share: float = 0.5
    first: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.kept_share <= 1:
            raise InputError(f"accuracy.kept_share = {self.kept_share:g}: must be above 0 and at most 1")
        if self.first < 1:
            raise InputError(f"accuracy.first = {self.first}: must be at least 1")

    def __call__(self, curve: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
        """Whether to stop.

        Args:
            curve: Accuracies of the candidate after each epoch so far.
            others: The same of candidates before it; those that were stopped are shorter, and are not compared with.

        >>> curves = [(0.2, 0.5), (0.3, 0.6), (0.4, 0.7)]
        >>> pruner = Pruner(kept_share=0.5, first=3)
        >>> pruner([0.25], curves), pruner([0.35], curves), pruner([0.25], curves[:2])
        (True, False, False)
        """
        if self.kept_share == 1 or not others:
            return False
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        whole = max(map(len, others))
        study = optuna.create_study(direction="maximize", storage=optuna.storages.InMemoryStorage())
        study.add_trials([_trial(other) for other in others if len(other) == whole])
        pruner = PercentilePruner(100 * self.kept_share, n_startup_trials=self.first)
        return bool(pruner.prune(study, _trial(curve, TrialState.RUNNING)))


def _trial(curve: Sequence[float], state: TrialState = TrialState.COMPLETE) -> optuna.trial.FrozenTrial:
    value = curve[-1] if state is TrialState.COMPLETE else None
    return create_trial(state=state, value=value, intermediate_values=dict(enumerate(curve)))
