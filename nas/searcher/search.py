"""The search: the most accurate networks within one latency budget or several, from one study of evaluations."""

from __future__ import annotations

import hashlib
import math
import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage

from nas.errors import InputError, TooManyFailuresError
from nas.progress import Progress, silent
from nas.searcher.bounds import Extremes, extremes, require_feasible
from nas.searcher.job import Job
from nas.searcher.ledger import DIGEST, LATENCY, Ledger
from nas.searcher.nearby import Latency, price
from nas.searcher.result import Candidate, SearchResult, Winner
from nas.searcher.samplers import BUDGET, require_sampler
from nas.searcher.worker import Evaluate
from nas.searcher.workers import work_in_processes
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

    Raises:
        InputError: A setting is out of range, or the storage holds a search of another space, latency or fingerprint.
        InfeasibleError: No network of the space fits any budget.
        StorageError: The storage cannot be reached, read or written.
        TooManyFailuresError: Ten evaluations in a row failed, or none succeeded.
    """
    budgets = _budgets(budget_ms, budgets_ms)
    if trials < 1 or workers < 1 or not (math.isfinite(slack) and slack >= 0):
        raise InputError(f"trials={trials}, workers={workers}, slack={slack}: must be >= 1, >= 1 and >= 0")
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
            ledger = work_in_processes(job, workers, progress)
            ledger.mirror.sampler = job.make_sampler(seed)
        else:
            ledger = job.open()
            job.work(ledger, 0, progress)
        return _result(job, ledger, feasible, infeasible)


def _budgets(budget_ms: float | None, budgets_ms: Sequence[float] | None) -> list[float]:
    if (budget_ms is None) == (budgets_ms is None):
        raise InputError("give either budget_ms, one budget, or budgets_ms, several")
    budgets = [budget_ms] if budget_ms is not None else list(budgets_ms or ())
    if not budgets:
        raise InputError("budgets_ms is empty; give at least one budget in milliseconds")
    for ms in budgets:
        if isinstance(ms, bool) or not isinstance(ms, int | float) or not (math.isfinite(ms) and ms > 0):
            raise InputError(f"budget {ms!r}: must be a number of milliseconds above 0")
        if budgets.count(ms) > 1:
            raise InputError(f"budget {ms:g} ms is given {budgets.count(ms)} times; leave one")
    return sorted(budgets)


def _checked(space: Space[Any], latency: Latency, choices: Mapping[str, Choice]) -> Choices:
    try:
        return price(space, replay(choices), latency).choices
    except InputError as error:
        raise InputError(f"a known network does not fit the space: {error}") from None


def _settings(space: Space[Any], latency: Latency, bounds: Extremes, given: str | Mapping[str, str]) -> dict[str, str]:
    """What makes trials comparable, by name: the space's decisions, the latencies, and what the caller names."""
    rng = random.Random(0)
    probes = math.fsum(price(space, uniform(rng), latency).latency_ms for _ in range(PROBES))
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
        raise TooManyFailuresError(f"all {ledger.failures} evaluations failed; the study holds their reasons")
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
    if recommend is not None:
        best = recommend(ledger.mirror, limit_ms) or best
    return [best.user_attrs[DIGEST]]
