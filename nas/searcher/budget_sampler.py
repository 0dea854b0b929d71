"""The searcher's own sampler: a Gaussian process whose expected improvement is maximised within the budget only.

It keeps no state between suggestions: everything is read from the study's trials, so that any number of processes may
ask one study, and a search goes on where it ended. Networks being evaluated count as evaluated at their posterior mean.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from nas.additive.layout import Layout
from nas.arch import Arch
from nas.errors import InfeasibleError, InputError
from nas.searcher import gp
from nas.searcher.candidates import ENUMERATED, ENUMERATED_ARCHS, Candidates, Code, Listed, Score, Wish, walk_all
from nas.searcher.feasible import FeasibleSet, feasible_set
from nas.searcher.moves import Open
from nas.searcher.nearby import Latency
from nas.space import Choice, Choices, Space, decisions

FIRST_POINTS = 3  # drawn before the process is asked
SPREAD = 16  # draws that the first points of workers who begin together are chosen from, to lie apart
PATIENCE = 8  # suggestions of a budget without improvement, after which every `EXPLORE`-th is drawn
EXPLORE = 3
FITTED = 250  # most observations that hyperparameters are fitted to
SHARED = 0.3  # weight of an improvement under another budget than the one that is suggested for
WIDEST = 300_000_000  # observations squared times asked networks; above it only the most promising are scored
PROMISING = 64

_SHOWN = (TrialState.COMPLETE, TrialState.RUNNING, TrialState.FAIL, TrialState.PRUNED)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The study as the process sees it.

    Attributes:
        codes: Networks with a value, in order of their trials.
        values: Their values, higher is better.
        budgets: Positions of the budgets they were suggested for.
        running: Networks being evaluated.
        known: Networks never to suggest again.
    """

    codes: list[Code]
    values: list[float]
    budgets: list[int]
    running: list[Code]
    known: frozenset[Code]


class BudgetSampler(BaseSampler):
    """Suggests networks that keep to a latency budget; trial n is for budget n modulo the number of budgets.

    Args:
        space: What to choose from.
        latency: Milliseconds.
        budgets_ms: Budgets, ms; all of them share all evaluations.
        seed: Makes suggestions repeatable, given the study.
        candidates: Result of `candidates_of` with the same space, latency and budgets, when the caller has it.

    Raises:
        InputError: No budget, or one that is not a positive number.
        InfeasibleError: No network of the space meets the smallest budget.
    """

    def __init__(
        self,
        space: Space[Any],
        latency: Latency,
        budgets_ms: Sequence[float],
        *,
        seed: int,
        candidates: Candidates | None = None,
    ) -> None:
        self.budgets_ms = _checked(budgets_ms)
        self._seed = seed
        self._distributions = {name: CategoricalDistribution(options) for name, options in decisions(space).items()}
        self._candidates = candidates or candidates_of(space, latency, self.budgets_ms)
        self._codes: dict[tuple[tuple[str, Choice], ...], Code | None] = {}  # of parameters; recomputed when lost

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The whole space, from the first trial on."""
        return dict(self._distributions)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Suggest a network; decisions that it does not ask for get their first option."""
        fixed = {
            name: option
            for name, option in trial.system_attrs.get("fixed_params", {}).items()
            if name in self._distributions
        }
        code = self._suggest(study, trial, fixed)
        choices: Choices = {} if code is None else self._candidates.choices(code)
        return {
            name: choices.get(name, fixed.get(name, distribution.choices[0]))
            for name, distribution in self._distributions.items()
            if name in search_space
        }

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draw uniformly what is not of the space."""
        rng = random.Random(f"{self._seed}/{trial.number}/{param_name}")
        if isinstance(param_distribution, CategoricalDistribution):
            return rng.choice(param_distribution.choices)
        sampler = optuna.samplers.RandomSampler(seed=rng.getrandbits(32))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def recommend(self, study: optuna.Study, budget_ms: float) -> FrozenTrial | None:
        """The finished trial within a budget whose network has the best posterior mean; None when there is none.

        Where evaluations are noisy, this is better than the best value seen, which is a lucky one.
        """
        trials = [trial for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)) if _finite(trial)]
        codes_of = self._codes_of([trial.params for trial in trials])
        known = [(trial, code) for trial, code in zip(trials, codes_of, strict=True) if code is not None]
        if not known:
            return None
        codes = [code for _, code in known]
        values = np.array([_sign(study) * float(trial.values[0]) for trial, _ in known])
        fits = self._candidates.latency_ms(np.array(codes)) <= budget_ms
        if not fits.any():
            return None
        mean = values
        if len(set(codes)) > 2:
            y = gp.target(values)
            mean = self._learnt(self._candidates.encode(np.array(codes)), y).believed(y)
        return known[int(np.argmax(np.where(fits, mean, -np.inf)))][0]

    def _suggest(self, study: optuna.Study, trial: FrozenTrial, fixed: Mapping[str, Choice]) -> Code | None:
        budget = trial.number % len(self.budgets_ms)
        seen = self._read(study, trial)
        rng = random.Random(f"{self._seed}/{trial.number}")
        wish = Wish(self.budgets_ms[budget], fixed, seen.known)
        if len(fixed) == len(self._distributions):
            return self._code(fixed)
        if len(seen.codes) < 2 or len(seen.known) < FIRST_POINTS or self._stuck(seen, budget):
            return self._draw(wish, rng, seen)
        score, means = self._acquisition(seen, wish.budget_ms)
        top = tuple(dict.fromkeys(seen.codes[i] for i in np.argsort(-means) if np.isfinite(means[i])))
        return self._candidates.best(Wish(wish.budget_ms, fixed, seen.known, top), score, rng)

    def _draw(self, wish: Wish, rng: random.Random, seen: _Seen) -> Code | None:
        """A new network; beside networks that are being evaluated the one of a few that differs most from all known."""
        if not seen.running:
            return self._candidates.draw(wish, rng)
        known = np.array(seen.codes + seen.running)
        drawn = [code for _ in range(SPREAD) if (code := self._candidates.draw(wish, rng)) is not None]
        return max(drawn, key=lambda code: int(np.abs(known - code).sum(axis=1).min()), default=None)

    def _acquisition(self, seen: _Seen, budget_ms: float) -> tuple[Score, gp.Array]:
        """Log expected improvement, summed over all budgets that a network meets, so that budgets help each other.

        And the posterior mean of each evaluated network, -inf above the budget.
        """
        metric = self._candidates.features.metric
        codes = np.array(seen.codes)
        y = gp.target(np.array(seen.values))
        observed = self._candidates.encode(codes)
        process = self._learnt(observed, y)
        if seen.running:
            running = self._candidates.encode(np.array(seen.running))
            imagined = process.mean(metric.parts(observed, running))
            observed = self._candidates.encode(np.array(seen.codes + seen.running))
            y = np.concatenate([y, imagined])
            process = gp.condition(metric.parts(observed, observed), y, process.theta)
        ms = self._candidates.latency_ms(codes)
        believed = process.believed(y)[: len(codes)]
        incumbents = {
            budget: float(believed[ms <= budget].max()) if (ms <= budget).any() else float(y.min())
            for budget in self.budgets_ms
        }

        def score(asked: gp.Encoded, asked_ms: gp.Array) -> gp.Array:
            result = np.full(len(asked), -np.inf)
            bests = np.array([[incumbent] for incumbent in incumbents.values()])
            bests = np.where(asked_ms <= np.array([[budget] for budget in incumbents]), bests, np.inf)
            cross, exact = metric.parts(observed, asked), np.arange(len(asked))
            if len(observed) ** 2 * len(asked) > WIDEST and len(asked) > PROMISING:
                exact = np.argpartition(bests.min(axis=0) - process.mean(cross), PROMISING)[:PROMISING]
                asked, cross = asked.take(exact), cross.columns(exact)
            mean, sd = process.mean_and_sd(cross, metric.own_linear(asked))
            gains = np.full((len(bests), len(exact)), -np.inf)
            for gain, best in zip(gains, bests[:, exact], strict=True):
                met = np.isfinite(best)
                gain[met] = gp.log_improvement(mean[met], sd[met], best[met])
            gains += np.log(np.where(np.array(list(incumbents)) == budget_ms, 1.0, SHARED))[:, None]
            result[exact] = np.logaddexp.reduce(gains, axis=0)
            return result

        return score, np.where(ms <= budget_ms, believed, -np.inf)

    def _learnt(self, observed: gp.Encoded, y: gp.Array) -> gp.Posterior:
        """The process that observations make most probable, given them."""
        parts = self._candidates.features.metric.parts(observed, observed)
        return gp.condition(parts, y, _fitted(parts, y))

    def _stuck(self, seen: _Seen, budget: int) -> bool:
        """Whether this suggestion should explore: the budget's own ones have not improved for long."""
        own = [value for value, of in zip(seen.values, seen.budgets, strict=True) if of == budget]
        vain = len(own) - 1 - int(np.argmax(own)) if own else 0
        return vain >= PATIENCE and vain % EXPLORE == 0

    def _read(self, study: optuna.Study, trial: FrozenTrial) -> _Seen:
        sign = _sign(study)
        codes: list[Code] = []
        values: list[float] = []
        budgets: list[int] = []
        running: list[Code] = []
        known: set[Code] = set()
        others = [other for other in study.get_trials(deepcopy=False, states=_SHOWN) if other.number != trial.number]
        for other, code in zip(others, self._codes_of([other.params for other in others]), strict=True):
            if code is None:
                continue
            known.add(code)
            if other.state is TrialState.RUNNING:
                running.append(code)
            elif _finite(other):
                codes.append(code)
                values.append(sign * float(other.values[0]))
                budgets.append(other.number % len(self.budgets_ms))
        return _Seen(codes, values, budgets, running, frozenset(known))

    def _code(self, trial_params: Mapping[str, Choice]) -> Code | None:
        return self._codes_of([trial_params])[0]

    def _codes_of(self, params: Sequence[Mapping[str, Choice]]) -> list[Code | None]:
        """The codes of trials' networks; None for trials of which not all is known yet."""
        keys = [tuple(given.items()) for given in params]
        new = {key: given for key, given in zip(keys, params, strict=True) if key not in self._codes}
        self._codes.update(zip(new, self._candidates.codes(list(new.values())), strict=True))
        return [self._codes[key] for key in keys]


def candidates_of(
    space: Space[Any], latency: Latency, budgets_ms: Sequence[float], *, feasible: FeasibleSet | None = None
) -> Candidates:
    """Prepare a space for sampling: list it when it is small, find its tables when it is large.

    Raises:
        InfeasibleError: No network meets the smallest budget.
    """
    options = decisions(space)
    feasible = feasible or feasible_set(space, latency)
    fastest = feasible.fastest()
    if fastest.latency_ms > min(budgets_ms):
        raise InfeasibleError(
            f"no network fits budget_ms={min(budgets_ms):g}: the fastest of the space takes {fastest.latency_ms:.4g} ms"
        )
    most = ENUMERATED_ARCHS if isinstance(fastest.arch, Arch) else ENUMERATED
    few = not feasible.additive or feasible.count(math.inf) <= most
    listed = walk_all(space, most) if few else None
    if listed is None:
        return Open(feasible, tuple(budgets_ms), seed=0)
    layout = _layout(options, listed)
    codes = np.array([layout.code(choices) for choices in listed], dtype=np.int64)
    return Listed(space, latency, layout, codes, budgets_ms)


def _layout(options: Mapping[str, Sequence[Choice]], listed: Sequence[Choices]) -> Layout:
    everywhere = set(listed[0]).intersection(*map(set, listed))
    names = tuple(dict.fromkeys([*options, *(name for choices in listed for name in choices)]))
    values = {name: tuple(options.get(name, ())) for name in names}
    return Layout(names, tuple(values[name] if name in everywhere else (None, *values[name]) for name in names))


def _fitted(parts: gp.Parts, y: gp.Array) -> gp.Array:
    """Hyperparameters, from the best half and an even selection of the others when there are many observations."""
    if len(y) <= FITTED:
        return gp.fit(parts, y)
    best = np.argsort(-y)
    others = np.linspace(FITTED // 2, len(y) - 1, FITTED // 2).round().astype(np.intp)
    rows = np.concatenate([best[: FITTED // 2], best[others]])
    return gp.fit(parts.take(rows), y[rows])


def _finite(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.COMPLETE and trial.values is not None and math.isfinite(trial.values[0])


def _sign(study: optuna.Study) -> float:
    return 1.0 if study.direction is StudyDirection.MAXIMIZE else -1.0


def _checked(budgets_ms: Sequence[float]) -> tuple[float, ...]:
    if not budgets_ms or not all(math.isfinite(budget) and budget > 0 for budget in budgets_ms):
        raise InputError(f"budgets_ms={list(budgets_ms)}: give at least one positive number of milliseconds")
    return tuple(budgets_ms)
