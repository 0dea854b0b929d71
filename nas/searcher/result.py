"""What a search returns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nas.arch import Arch, cost
from nas.errors import InputError
from nas.searcher.pareto import pareto_front
from nas.space import Choices


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An evaluated network.

    Attributes:
        arch: What the space builds, an `Arch` in our spaces.
        key: Equal for networks that are the same: the digest of an `Arch`.
        accuracy: What `evaluate` said: in [0, 1] in our pipeline, any scale in a user's search.
        number: Place in the order of evaluation, from 0.
    """

    arch: Any
    key: str
    choices: Choices
    accuracy: float
    latency_ms: float
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Winner:
    """The network recommended for a budget, ms."""

    budget_ms: float
    candidate: Candidate


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResult:
    """The distinct networks that were evaluated, all of them within the largest budget.

    Attributes:
        winners: One for each budget under which a network was evaluated, smallest budget first: the most accurate,
            the faster of equals; by the sampler's posterior mean when it finds the evaluations noisy.
        failures: Evaluations that raised or gave no number.
        infeasible_ms: Budgets that no network of the space meets, ms; they were skipped.
    """

    winners: tuple[Winner, ...]
    trials: tuple[Candidate, ...]
    failures: int
    infeasible_ms: tuple[float, ...] = ()

    @property
    def best(self) -> Candidate:
        """The winner of the largest budget."""
        return self.winners[-1].candidate

    @property
    def pareto(self) -> tuple[Candidate, ...]:
        """Networks that no other beats in accuracy and latency, fastest first."""
        front = pareto_front([(trial.latency_ms, trial.accuracy) for trial in self.trials])
        return tuple(self.trials[i] for i in front)

    def under(self, budget_ms: float) -> SearchResult:
        """The part of the result that concerns one of its budgets, as if it had been searched alone.

        Raises:
            InputError: No network was evaluated within this budget.
        """
        winner = next((winner for winner in self.winners if winner.budget_ms == budget_ms), None)
        if winner is None:
            raise InputError(f"no network was evaluated within budget {budget_ms:g} ms; raise the number of trials")
        within = max(budget_ms, winner.candidate.latency_ms)
        trials = tuple(trial for trial in self.trials if trial.latency_ms <= within)
        return replace(self, winners=(winner,), trials=trials, infeasible_ms=())


def trials_csv(trials: Sequence[Candidate]) -> str:
    """Write evaluated networks as CSV: number, digest, accuracy, latency, costs and one column a decision."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.choices))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["number", "digest", "accuracy", "latency_ms", "params", "macs", *names])
    for trial in trials:
        costs = cost(trial.arch) if isinstance(trial.arch, Arch) else None
        counts = [costs.params, costs.macs] if costs else ["", ""]
        choices = [trial.choices.get(name, "") for name in names]
        table.writerow([trial.number, trial.key, f"{trial.accuracy:.6g}", f"{trial.latency_ms:.6g}", *counts, *choices])
    return text.getvalue()
