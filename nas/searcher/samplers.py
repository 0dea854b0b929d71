"""Samplers by name, set up for one categorical a decision and a few dozen evaluations."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler

from nas.errors import InputError, did_you_mean
from nas.searcher.nearby import Latency
from nas.space import Space

if TYPE_CHECKING:
    from nas.searcher.candidates import Candidates


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a sampler is made for.

    Attributes:
        limits_ms: Latencies that are searched under, ascending.
        startup: Evaluations that are given before the sampler takes over.
        candidates: Result of `prepared`, when the caller has it.
    """

    space: Space[Any]
    latency: Latency
    limits_ms: Sequence[float]
    seed: int
    startup: int
    candidates: Candidates | None = None


def _budget(task: Task) -> BaseSampler:
    sampler: BaseSampler = _budget_sampler().BudgetSampler(
        task.space, task.latency, task.limits_ms, seed=task.seed, candidates=task.candidates
    )
    return sampler


def _budget_sampler() -> Any:
    return importlib.import_module("nas.searcher.budget_sampler")  # needs scipy, 0.3 s to import


def _tpe(task: Task) -> BaseSampler:
    return TPESampler(seed=task.seed, multivariate=True, n_startup_trials=task.startup)


def _nsga2(task: Task) -> BaseSampler:
    return NSGAIISampler(seed=task.seed, population_size=max(task.startup, 4))


def _gp(task: Task) -> BaseSampler:
    for needed in ("scipy", "torch"):
        try:
            importlib.import_module(needed)
        except ImportError:
            raise InputError(f"sampler 'gp' is Optuna's and needs {needed}; pip install {needed}") from None
    return GPSampler(seed=task.seed, n_startup_trials=task.startup)


def _random(task: Task) -> BaseSampler:
    return RandomSampler(seed=task.seed)


BUDGET = "budget"
SAMPLERS: Mapping[str, Callable[[Task], BaseSampler]] = MappingProxyType(
    {BUDGET: _budget, "tpe": _tpe, "nsga2": _nsga2, "gp": _gp, "random": _random}
)


def make_sampler(name: str, task: Task) -> BaseSampler:
    """Make a sampler.

    Raises:
        InputError: No sampler has this name, or a library that it needs is missing.
    """
    require_sampler(name)
    return SAMPLERS[name](task)


def prepared(name: str, task: Task) -> Candidates | None:
    """What a sampler finds out about a space before it suggests anything, seconds of work; None for most."""
    if name != BUDGET:
        return None
    found: Candidates = _budget_sampler().candidates_of(task.space, task.latency, task.limits_ms)
    return found


def require_sampler(name: str) -> None:
    """Refuse an unknown name.

    Raises:
        InputError: No sampler has this name.
    """
    if name not in SAMPLERS:
        raise InputError(f"unknown sampler '{name}'{did_you_mean(name, SAMPLERS)}; known: {', '.join(SAMPLERS)}")
