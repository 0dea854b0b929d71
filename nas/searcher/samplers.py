"""Optuna's samplers by name, set up for one categorical a decision and a few dozen evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler

from nas.errors import InputError, did_you_mean

MakeSampler = Callable[[int, int], BaseSampler]  # seed, evaluations that are given before the sampler takes over


def _tpe(seed: int, startup: int) -> BaseSampler:
    return TPESampler(seed=seed, multivariate=True, n_startup_trials=startup)


def _random(seed: int, _startup: int) -> BaseSampler:
    return RandomSampler(seed=seed)


def _nsga2(seed: int, startup: int) -> BaseSampler:
    return NSGAIISampler(seed=seed, population_size=max(startup, 4))


SAMPLERS: Mapping[str, MakeSampler] = MappingProxyType({"tpe": _tpe, "random": _random, "nsga2": _nsga2})


def make_sampler(name: str, *, seed: int, startup: int) -> BaseSampler:
    """Make a sampler.

    Raises:
        InputError: No sampler has this name.
    """
    if name not in SAMPLERS:
        raise InputError(f"unknown sampler '{name}'{did_you_mean(name, SAMPLERS)}; known: {', '.join(SAMPLERS)}")
    return SAMPLERS[name](seed, startup)
