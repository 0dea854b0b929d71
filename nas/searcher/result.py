"""What a search returns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from nas.arch import Arch, cost, digest
from nas.searcher.pareto import pareto_front
from nas.space import Choices


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An evaluated network.

    Attributes:
        accuracy: In [0, 1].
        number: Place in the order of evaluation, from 0.
    """

    arch: Arch
    choices: Choices
    accuracy: float
    latency_ms: float
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchResult:
    """The distinct networks that were evaluated, all of them within the budget.

    Attributes:
        best: The most accurate; the faster of equals.
        failures: Evaluations that raised or gave no number.
    """

    best: Candidate
    trials: tuple[Candidate, ...]
    failures: int

    @property
    def pareto(self) -> tuple[Candidate, ...]:
        """Networks that no other beats in accuracy and latency, fastest first."""
        front = pareto_front([(trial.latency_ms, trial.accuracy) for trial in self.trials])
        return tuple(self.trials[i] for i in front)


def trials_csv(trials: Sequence[Candidate]) -> str:
    """Write evaluated networks as CSV: number, digest, accuracy, latency, costs and one column a decision."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.choices))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["number", "digest", "accuracy", "latency_ms", "params", "macs", *names])
    for trial in trials:
        costs = cost(trial.arch)
        choices = [trial.choices.get(name, "") for name in names]
        numbers = [f"{trial.accuracy:.6g}", f"{trial.latency_ms:.6g}", costs.params, costs.macs]
        table.writerow([trial.number, digest(trial.arch), *numbers, *choices])
    return text.getvalue()
