"""The search: the most accurate networks within one latency budget or several, from one study of evaluations."""

from __future__ import annotations

import hashlib
import math
import operator
import random
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from numbers import Real
from pathlib import Path
from typing import Any

from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, InMemoryStorage

from nas.errors import InputError, TooManyFailuresError
from nas.progress import Progress, silent
from nas.searcher.bounds import Extremes, extremes, require_feasible
from nas.searcher.job import Job
from nas.searcher.ledger import DIGEST, LATENCY, Ledger
from nas.searcher.nearby import Latency, price
from nas.searcher.result import Candidate, SearchResult, Winner
from nas.searcher.samplers import BUDGET, require_sampler
from nas.searcher.worker import Evaluate
from nas.searcher.workers import require_sendable, work_in_processes
from nas.space import Choice, Choices, Space, decisions, record, replay, uniform

PROBES = 8  # random networks whose latency identifies a table
SHOWN_CHARS = 60  # of a decision's options in a message about what changed


def search(
    space: Space[Any],
    evaluate: Evaluate,
    latency: Latency,
    *,
    budget_ms: float | None = None,
    budgets_ms: Sequence[float] | None = None,
    trials: int,
    seed: int,
    sampler: str | BaseSampler = BUDGET,
    storage: Path | str | BaseStorage | None = None,
    workers: int = 1,
    known: Sequence[Mapping[str, Choice]] = (),
    slack: float = 0.0,
    study: str = "search",
    fingerprint: str | Mapping[str, str] = "",
    bounds: Extremes | None = None,
    progress: Progress = silent,
) -> SearchResult:
    """Search for the most accurate network within a latency budget, or one within each of several.

    The same call on the same `storage` goes on where the last one ended, evaluates no network twice and returns at
    once when there is nothing left to do. Calls from several processes or machines on one storage work together.

    Args:
        space: What to choose from; a decision has the same options whenever it is asked.
        evaluate: How good what the space built is, higher is better (our pipeline: accuracy in [0, 1]); called for
            feasible, new networks only. What it raises fails that network alone.
        latency: Milliseconds of what the space built, or an `AdditiveLatency`; called often, always the same.
        budget_ms: The budget, ms; or
        budgets_ms: several, in any order, which share all evaluations. One that no network meets is skipped and named
            in the result and to `progress`.
        trials: Distinct networks to evaluate in all, earlier runs and other workers included; fewer when the space
            has no more.
        seed: Makes a run of one worker without interruption repeatable.
        sampler: One of `SAMPLERS`, or an Optuna sampler.
        storage: Journal file, RDB URL such as `postgresql://...`, Optuna's gRPC proxy as `grpc://host:port`, or an
            Optuna storage; None keeps the study in memory.
        workers: Processes to evaluate in; above 1, everything passed in must be picklable.
        known: Choices of networks to evaluate first, those of them that fit.
        slack: Networks up to `budget * (1 + slack)` count as feasible (a later trimming closes the gap).
        study: Name of the study in the storage.
        fingerprint: What else makes evaluations comparable (data, evaluator), one line or named ones, kept with the
            study; the space and the latencies are compared in any case.
        bounds: Result of `extremes`, when the caller has it.
        progress: Told after every evaluation.

    Returns:
        A winner for each budget, every network that was evaluated, and the budgets that none meets.

    Example:
        >>> from nas.searcher import AdditiveLatency, ChoiceSpace
        >>> space = ChoiceSpace("toy", {"kernel": (3, 5), "depth": (1, 2, 3)})
        >>> table = AdditiveLatency({"kernel": {3: 1.0, 5: 1.5}, "depth": {1: 1.0, 2: 2.0, 3: 3.0}})
        >>> found = search(space, lambda net: net["kernel"] * net["depth"], table, budget_ms=3.5, trials=4, seed=0)
        >>> found.best.choices, found.best.latency_ms
        ({'kernel': 5, 'depth': 2}, 3.5)

    Raises:
        InputError: A setting is out of range, or the storage holds a search of another space, latency or fingerprint.
        InfeasibleError: No network of the space fits any budget.
        StorageError: The storage cannot be reached, read or written.
        TooManyFailuresError: Ten evaluations in a row failed, or none succeeded.
    """
    budgets = _budgets(budget_ms, budgets_ms)
    trials, workers, seed = _whole("trials", trials), _whole("workers", workers), _whole("seed", seed, least=None)
    if not (math.isfinite(slack) and slack >= 0):
        raise InputError(f"slack={slack}: must be a number, at least 0")
    if workers > 1 and isinstance(storage, InMemoryStorage):
        raise InputError(f"workers={workers}: a study in memory cannot be shared; leave storage out or name a file")
    if isinstance(sampler, str):
        require_sampler(sampler)
    bounds = bounds or extremes(space, latency)
    require_feasible(bounds, budgets[-1] * (1 + slack))
    fastest_ms = bounds.fastest.latency_ms
    infeasible = tuple(ms for ms in budgets if ms * (1 + slack) < fastest_ms)
    for ms in infeasible:
        progress("search", 0, trials, f"budget {ms:g} ms is skipped: the fastest network takes {fastest_ms:.4g} ms")
    feasible = [ms for ms in budgets if ms not in infeasible]
    with tempfile.TemporaryDirectory(prefix="underbudget-") as scratch:
        job = Job(
            space=space,
            evaluate=evaluate,
            latency=latency,
            limits_ms=tuple(ms * (1 + slack) for ms in feasible),
            trials=trials,
            seed=seed,
            sampler=sampler,
            storage=Path(scratch) / "journal" if storage is None and workers > 1 else storage,
            study=study,
            settings=_settings(space, latency, bounds, fingerprint),
            fastest=bounds.fastest,
            known=tuple(_checked(space, latency, choices) for choices in known),
        )
        if workers > 1:
            require_sendable(job)
        ledger = job.open()
        with closing(ledger.shared):
            job = job.prepared()
            if workers > 1:
                work_in_processes(job, ledger, workers, progress)
                ledger.mirror.sampler = job.make_sampler(seed)
            else:
                job.work(ledger, 0, progress)
        return _result(job, ledger, feasible, infeasible)


def _budgets(budget_ms: float | None, budgets_ms: Sequence[float] | None) -> list[float]:
    if (budget_ms is None) == (budgets_ms is None):
        raise InputError("give either budget_ms, one budget, or budgets_ms, several")
    try:
        given: list[object] = [budget_ms] if budgets_ms is None else list(budgets_ms)
    except TypeError:
        raise InputError(f"budgets_ms={budgets_ms!r}: must be several numbers; budget_ms is for one") from None
    if not given:
        raise InputError("budgets_ms is empty; give at least one budget in milliseconds")
    budgets = sorted(map(_budget, given))
    for ms in budgets:
        if budgets.count(ms) > 1:
            raise InputError(f"budget {ms:g} ms is given {budgets.count(ms)} times; leave one")
    return budgets


def _budget(ms: object) -> float:
    if isinstance(ms, bool) or not isinstance(ms, Real) or not (math.isfinite(ms) and float(ms) > 0):
        raise InputError(f"budget {ms!r}: must be a number of milliseconds above 0")
    return float(ms)


def _whole(name: str, value: int, *, least: int | None = 1) -> int:
    try:
        number = operator.index(value)  # NumPy's too
    except TypeError:
        raise InputError(f"{name}={value!r}: must be a whole number") from None
    if least is not None and number < least:
        raise InputError(f"{name}={number}: must be at least {least}")
    return number


def _checked(space: Space[Any], latency: Latency, choices: Mapping[str, Choice]) -> Choices:
    try:
        return price(space, replay(choices), latency).choices
    except InputError as error:
        raise InputError(f"a known network does not fit the space: {error}") from None


def _settings(space: Space[Any], latency: Latency, bounds: Extremes, given: str | Mapping[str, str]) -> dict[str, str]:
    """What makes trials comparable, by name: the space's decisions, the latencies, and what the caller names."""
    rng = random.Random(0)
    priced = [price(space, uniform(rng), latency).latency_ms for _ in range(PROBES)]
    probes = math.fsum(ms for ms in priced if math.isfinite(ms))
    named = dict(given) if isinstance(given, Mapping) else {"fingerprint": given} if given else {}
    return {
        "space": space.name,
        **{f"decision {name}": _shown(options) for name, options in decisions(space).items()},
        "fastest network, ms": f"{bounds.fastest.latency_ms:.5g}",
        "slowest network, ms": f"{bounds.slowest.latency_ms:.5g}",
        f"{PROBES} random networks, ms": f"{probes:.5g}",
        **named,
    }


def _shown(options: Sequence[Choice]) -> str:
    text = ", ".join(map(repr, options))
    if len(text) <= SHOWN_CHARS:
        return text
    return f"{len(options)} options #{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _result(job: Job, ledger: Ledger, budgets: Sequence[float], infeasible: tuple[float, ...]) -> SearchResult:
    done = sorted(ledger.done.items(), key=lambda item: item[1].number)
    candidates: dict[str, Candidate] = {}
    for key, trial in done:
        if trial.user_attrs[LATENCY] <= job.limits_ms[-1]:
            arch, choices = record(job.space, replay(trial.params))
            candidates[key] = Candidate(
                arch=arch,
                key=key,
                choices=choices,
                accuracy=trial.values[0],
                latency_ms=trial.user_attrs[LATENCY],
                number=len(candidates),
            )
    winners = [
        Winner(budget_ms=ms, candidate=candidates[key])
        for ms, limit_ms in zip(budgets, job.limits_ms, strict=True)
        for key in _winner(ledger, limit_ms)
    ]
    if not winners:
        last = f", the last with {ledger.reason}" if ledger.reason else ""
        raise TooManyFailuresError(f"all {ledger.failures} evaluations failed{last}")
    return SearchResult(
        winners=tuple(winners),
        trials=tuple(candidates.values()),
        failures=ledger.failures,
        infeasible_ms=infeasible,
    )


def _winner(ledger: Ledger, limit_ms: float) -> list[str]:
    """Key of the network recommended for a limit; none when none was evaluated within it."""
    best = ledger.best(limit_ms)
    if best is None:
        return []
    recommend = getattr(ledger.mirror.sampler, "recommend", None)  # ours has it, Optuna's have not
    found = recommend(ledger.mirror, limit_ms) if recommend else None
    if found is not None and found.user_attrs.get(LATENCY, math.inf) <= limit_ms:
        best = found
    return [best.user_attrs[DIGEST]]
