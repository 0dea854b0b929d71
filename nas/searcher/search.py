"""The search: ask Optuna for networks until one is feasible and new, evaluate it, tell, repeat.

Optuna works on a study in memory. Trials enter the journal when they are finished, each as one line; opening the
journal again fills the memory from it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import cast

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from nas.arch import Arch, digest
from nas.errors import InputError, StorageError, TooManyFailuresError
from nas.progress import Progress, silent
from nas.searcher.bounds import Extremes, extremes, require_feasible
from nas.searcher.journal import open_study
from nas.searcher.nearby import Latency, Priced, first_points, neighbour, price
from nas.searcher.result import Candidate, SearchResult
from nas.searcher.samplers import make_sampler
from nas.space import Choices, Choose, SearchSpace, decisions, record, replay

Evaluate = Callable[[Arch], float]  # accuracy in [0, 1]

MAX_FAILURES = 10  # in a row
FIRST_POINTS = 10  # at most; a third of the trials when that is less
DRAWS = 16  # asked of the sampler before a neighbour of a good network is taken instead
NEIGHBOURS = 1000  # tried before the space counts as exhausted
PARENTS = 5  # best networks whose neighbours are tried


def search(
    space: SearchSpace,
    evaluate: Evaluate,
    latency: Latency,
    *,
    budget_ms: float,
    trials: int,
    seed: int,
    sampler: str = "tpe",
    storage: Path | None = None,
    slack: float = 0.0,
    fingerprint: str = "",
    bounds: Extremes | None = None,
    progress: Progress = silent,
) -> SearchResult:
    """Search for the most accurate network within a latency budget.

    The same call on the same `storage` goes on where the last one ended, evaluates no network twice and returns at
    once when there is nothing left to do.

    Args:
        space: What to choose from; a decision has the same options whenever it is asked.
        evaluate: Accuracy in [0, 1] of a network; called for feasible, new networks only.
        latency: Milliseconds of a network; called often.
        budget_ms: The budget, ms.
        trials: Distinct networks to evaluate, earlier runs of this storage included; fewer when the space has no more.
        seed: Makes a run without interruption repeatable.
        sampler: One of `SAMPLERS`.
        storage: Journal file; None keeps the study in memory.
        slack: Networks up to `budget_ms * (1 + slack)` count as feasible (a later trimming closes the gap).
        fingerprint: One line about what makes accuracies comparable (data, supernet, table), kept with the study.
        bounds: Result of `extremes`, when the caller has it.
        progress: Told after every evaluation.

    Raises:
        InputError: A setting is out of range, or the storage holds a search of other settings.
        InfeasibleError: No network of the space fits.
        StorageError: The storage cannot be read or written.
        TooManyFailuresError: `MAX_FAILURES` evaluations in a row failed, or none succeeded.
    """
    if trials < 1 or not (math.isfinite(budget_ms) and budget_ms > 0 and math.isfinite(slack) and slack >= 0):
        raise InputError(f"trials={trials}, budget_ms={budget_ms}, slack={slack}: must be >= 1, > 0 and >= 0")
    limit_ms = budget_ms * (1 + slack)
    bounds = bounds or extremes(space, latency)
    require_feasible(bounds, limit_ms)
    settings = f"space {space.name}, budget {budget_ms:g} ms, slack {slack:g}, {fingerprint}".removesuffix(", ")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    run = _Run(space=space, latency=latency, limit_ms=limit_ms, fastest=bounds.fastest, evaluate=evaluate)
    if storage:
        run.load(open_study(storage, settings))
    run.start(sampler, seed=seed, startup=max(1, min(FIRST_POINTS, trials // 3)))
    while len(run.evaluated) < trials and run.step():
        best = run.best()
        note = f"best {best.accuracy:.1%} at {best.latency_ms:.4g} ms" if best else ""
        progress("search", len(run.evaluated), trials, note)
    return run.result()


@dataclass(frozen=True, slots=True)
class _Draw:
    trial: optuna.Trial
    priced: Priced
    digest: str


@dataclass(kw_only=True, slots=True)
class _Run:
    """State of one search."""

    space: SearchSpace
    latency: Latency
    limit_ms: float
    fastest: Priced
    evaluate: Evaluate
    study: optuna.Study = field(default_factory=lambda: optuna.create_study(direction="maximize"))
    journal: optuna.Study | None = None
    rng: random.Random = field(default_factory=random.Random)
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)
    evaluated: dict[str, Candidate] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    failures: int = 0
    failures_in_a_row: int = 0

    def load(self, journal: optuna.Study) -> None:
        """Take over what earlier runs finished; what failed then may be tried again."""
        self.journal = journal
        done = [trial for trial in journal.get_trials(deepcopy=False) if trial.state.is_finished()]
        self.study.add_trials(done)
        for trial in done:
            self.failures += trial.state is TrialState.FAIL
            if trial.state is TrialState.COMPLETE:
                arch, choices = record(self.space, replay(trial.params))
                priced = Priced(arch=arch, choices=choices, latency_ms=trial.user_attrs["latency_ms"])
                self._remember(digest(arch), priced, trial.values[0])

    def start(self, sampler: str, *, seed: int, startup: int) -> None:
        """Seed everything by what is finished, and queue the first points that are not evaluated yet."""
        options = decisions(self.space)
        self.distributions = {name: CategoricalDistribution(values) for name, values in options.items()}
        self.rng = random.Random(f"{seed}/{len(self.study.trials)}")
        self.study.sampler = make_sampler(sampler, seed=self.rng.getrandbits(32), startup=startup)
        points = first_points(
            self.space, self.fastest, self.latency, limit_ms=self.limit_ms, count=startup, rng=random.Random(seed)
        )
        for point in points:
            if digest(point.arch) not in self.evaluated:
                self.study.enqueue_trial(point.choices)

    def step(self) -> bool:
        """Evaluate one more network; False when no new one is found."""
        draw = self._propose()
        if draw is None:
            return False
        try:
            accuracy = _number(self.evaluate(draw.priced.arch))
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001  one network that cannot be evaluated must not end the search
            self._fail(draw, f"{type(error).__name__}: {error}")
            return True
        self.failures_in_a_row = 0
        self._remember(draw.digest, draw.priced, accuracy)
        self._record(self.study.tell(draw.trial, accuracy))
        return True

    def best(self) -> Candidate | None:
        """The most accurate network so far, the faster of equals."""
        return min(self.evaluated.values(), key=lambda c: (-c.accuracy, c.latency_ms), default=None)

    def result(self) -> SearchResult:
        """What was found."""
        best = self.best()
        if best is None:
            raise TooManyFailuresError(f"all {self.failures} evaluations failed; the journal holds their reasons")
        return SearchResult(best=best, trials=tuple(self.evaluated.values()), failures=self.failures)

    def _propose(self) -> _Draw | None:
        """Ask until a network is feasible and new; after `DRAWS` vain ones take a neighbour of a good network."""
        taught = False
        for _ in range(DRAWS):
            draw = self._ask()
            if draw.priced.latency_ms > self.limit_ms:
                # One infeasible trial an evaluation teaches the constraint; more would drown the accuracies.
                self._reject(draw, remember=not taught)
                taught = True
            elif draw.digest in self.evaluated:
                self._record(self.study.tell(draw.trial, self.evaluated[draw.digest].accuracy))
            elif draw.digest in self.failed:
                self._reject(draw, remember=False)
            else:
                return draw
        choices = self._new_neighbour()
        if choices is None:
            return None
        self.study.enqueue_trial(choices)
        return self._ask()

    def _ask(self) -> _Draw:
        trial = self.study.ask(self.distributions)
        priced = price(self.space, cast(Choose, trial.suggest_categorical), self.latency)
        trial.set_constraint("latency", priced.latency_ms / self.limit_ms - 1)
        trial.set_user_attr("latency_ms", priced.latency_ms)
        return _Draw(trial, priced, digest(priced.arch))

    def _new_neighbour(self) -> Choices | None:
        ranked = sorted(self.evaluated.values(), key=lambda candidate: -candidate.accuracy)
        parents = [candidate.choices for candidate in ranked[:PARENTS]] or [self.fastest.choices]
        for _ in range(NEIGHBOURS):
            near = neighbour(self.space, self.rng.choice(parents), self.latency, self.rng)
            known = digest(near.arch)
            if near.latency_ms <= self.limit_ms and known not in self.evaluated and known not in self.failed:
                return near.choices
            if near.latency_ms <= self.limit_ms:
                parents.append(near.choices)
        return None

    def _fail(self, draw: _Draw, reason: str) -> None:
        draw.trial.set_user_attr("failure", reason)
        self._record(self.study.tell(draw.trial, state=TrialState.FAIL))
        self.failed.add(draw.digest)
        self.failures += 1
        self.failures_in_a_row += 1
        if self.failures_in_a_row == MAX_FAILURES:
            raise TooManyFailuresError(f"{MAX_FAILURES} evaluations in a row failed, the last with {reason}")

    def _reject(self, draw: _Draw, *, remember: bool) -> None:
        """Finish a trial without evaluating it: pruned trials teach the samplers, failed ones do not."""
        told = self.study.tell(draw.trial, state=TrialState.PRUNED if remember else TrialState.FAIL)
        if remember:
            self._record(told)

    def _remember(self, key: str, priced: Priced, accuracy: float) -> None:
        number = len(self.evaluated)
        candidate = Candidate(
            arch=priced.arch,
            choices=priced.choices,
            accuracy=accuracy,
            latency_ms=priced.latency_ms,
            number=number,
        )
        self.evaluated.setdefault(key, candidate)

    def _record(self, trial: FrozenTrial) -> None:
        if self.journal:
            self.journal.add_trial(trial)


def _number(value: object) -> float:
    if not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"accuracy is {value!r}, must be a finite number")
    return float(value)
