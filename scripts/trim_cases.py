"""Every method, network and ratio: trimmed, timed, trained further, compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from statistics import fmean
from typing import Any

from trim_bench import RATIOS, SESSIONS, Bench, Setup
from trim_jobs import Jobs, job
from trim_methods import (
    NETADAPT,
    ONE_SHOT,
    PRUNING,
    UNIFORM,
    Candidate,
    candidates,
    most,
    narrowed,
    train_alone,
    train_base,
    trim_to,
    tune_on,
)
from trim_rows import key_of, timed_rows, trim_seconds, verdict

from nas.arch import from_json

MARGIN = 0.008  # share of a budget that predictions leave
HIGH, LOW = 1 - 0.006, 1 - 0.025  # shares of the budget that a measured latency must lie between, or it is trimmed anew
ATTEMPTS = 4
PILOT_ROUNDS = 25
NEAR = 0.06  # candidates that are timed beside a trimmed network are this near to it


def cases(bench: Bench, jobs: Jobs) -> dict[str, Any]:
    """The rows, and the figures that are held to bars."""
    names = list(bench.size.networks)
    for name in names:
        bench.model(name)  # measured before anything else runs
    jobs.done(bench, "trained", {f"{name} base": job(train_base, name) for name in names})
    for ratio in RATIOS:
        _trim(bench, jobs, ratio)
    _choose_rivals(bench, jobs, names)
    _train(bench, jobs, names)
    rows = [row for name in names for row in bench.once("timed", name, partial(timed_rows, bench, name))]
    return {"rows": rows, **verdict(rows)}


def _trim(bench: Bench, jobs: Jobs, ratio: float) -> None:
    """Trim every network from the ratio before, anew with a corrected prediction where it is timed off its budget."""
    place = RATIOS.index(ratio)
    start = f"{key_of(NETADAPT, RATIOS[place - 1])}.start" if place else "base"
    corrections = dict.fromkeys(bench.size.networks, 1.0)
    shares: dict[str, dict[int, float]] = {name: {} for name in corrections}  # of the latency, by attempt
    for attempt in range(ATTEMPTS):
        key = _attempt(ratio, attempt)
        wanted = {
            f"{name} {ratio:g} attempt {attempt}": job(
                trim_to,
                name,
                start,
                key,
                budget_ms=ratio * (1 - MARGIN) * bench.model(name).arch_ms(bench.arch(name)) / correction,
                settings=bench.size.trim,
            )
            for name, correction in corrections.items()
        }
        jobs.done(bench, "trimmed", wanted)
        timing = f"{ratio:g} attempt {attempt}"
        measured = bench.once("trim_timed", timing, partial(_used, bench, list(corrections), key))
        for name, share in measured.items():
            shares[name][attempt] = share
        corrections = {
            name: _correction(bench, name, ratio, shares[name], over=share > HIGH * ratio)
            for name, share in measured.items()
            if not LOW <= share / ratio <= HIGH
        }
        if not corrections:
            break
    for name, own in shares.items():
        _adopt(bench, name, ratio, own)


def _attempt(ratio: float, attempt: int) -> str:
    """What the network of an attempt is kept as."""
    return f"{key_of(NETADAPT, ratio)}.attempt{attempt}"


def _correction(bench: Bench, name: str, ratio: float, shares: Mapping[int, float], *, over: bool) -> float:
    """What predictions are taken to err by: the most seen where that still was too slow, else the mean of attempts.

    Each network errs in its own way; by the last one's error alone, attempts swing about the budget.
    """
    errors = [share / _predicted(bench, name, _attempt(ratio, attempt)) for attempt, share in shares.items()]
    return max(errors) if over else fmean(errors)


def _adopt(bench: Bench, name: str, ratio: float, shares: Mapping[int, float]) -> None:
    """Go on with the attempt that is nearest below the budget, or, where none is below, nearest above."""
    best = min(shares, key=lambda attempt: (shares[attempt] > HIGH * ratio, abs(shares[attempt] - ratio)))
    bench.result.setdefault("attempts", {})[f"{name} {ratio:g}"] = best
    bench.keep({})
    bench.save(name, f"{key_of(NETADAPT, ratio)}.start", bench.load(name, _attempt(ratio, best)))


def _used(bench: Bench, names: Sequence[str], key: str) -> dict[str, float]:
    """Share of each network's latency that its trimmed form takes, timed in turn."""
    archs = [arch for name in names for arch in (bench.arch(name), bench.saved_arch(name, key))]
    ms = bench.measured_ms(archs, sessions=SESSIONS)
    return {name: ms[2 * i + 1] / ms[2 * i] for i, name in enumerate(names)}


def _predicted(bench: Bench, name: str, key: str) -> float:
    """The same share as predicted."""
    model = bench.model(name)
    return model.arch_ms(bench.saved_arch(name, key)) / model.arch_ms(bench.arch(name))


def _choose_rivals(bench: Bench, jobs: Jobs, names: Sequence[str]) -> None:
    """The networks of the rivals at equal measured latency, kept as they begin."""
    wanted = {name: job(_plain_candidates, name) for name in names}
    found = jobs.done(bench, "candidates", wanted)
    keep = {}
    for name in names:
        every = [Candidate(**row) for row in found[name]]
        chosen = bench.once("chosen", name, partial(_equal, bench, name, every))
        for key, row in chosen.items():
            keep[f"{name} {key}"] = job(narrowed, name, Candidate(**row), f"{key}.start")
    jobs.done(bench, "begun", keep)


def _plain_candidates(setup: Setup, name: str) -> list[dict[str, Any]]:
    return [asdict(one) for one in candidates(setup, name)]


def _equal(bench: Bench, name: str, every: Sequence[Candidate]) -> dict[str, Any]:
    """By method and ratio, the candidate that takes as long as the trimmed network."""
    ours = [bench.saved_arch(name, key_of(NETADAPT, ratio) + ".start") for ratio in RATIOS]
    archs = [from_json(one.arch) for one in every]
    pilot_ms = bench.measured_ms([*ours, *archs], rounds=PILOT_ROUNDS)
    ours_ms, ms = pilot_ms[: len(ours)], pilot_ms[len(ours) :]
    near = [i for i, one in enumerate(ms) if any(abs(one / own_ms - 1) <= NEAR for own_ms in ours_ms)]
    near = near or list(range(len(ms)))
    timed = bench.measured_ms([*ours, *(archs[i] for i in near)])
    chosen: dict[str, Any] = {}
    for place, ratio in enumerate(RATIOS):
        for method in (UNIFORM, PRUNING):
            pairs = [
                (every[i], value)
                for i, value in zip(near, timed[len(ours) :], strict=True)
                if every[i].method == method
            ]
            if not pairs:
                continue
            candidate, _ = most(pairs, timed[place])
            chosen[key_of(method if method == PRUNING else ONE_SHOT, ratio)] = asdict(candidate)
    return chosen


def _train(bench: Bench, jobs: Jobs, names: Sequence[str]) -> None:
    """Train all of them further, and the uniformly scaled ones alone, the longest trainings first."""
    wanted = {}
    for name in names:
        for ratio in RATIOS:
            arch = bench.result["chosen"][name][key_of(ONE_SHOT, ratio)]["arch"]
            key = key_of(UNIFORM, ratio)
            wanted[f"{name} {key}"] = job(train_alone, name, arch, key, _steps_alone(bench, name, ratio))
    for ratio in RATIOS:
        for name in names:
            for method in (NETADAPT, ONE_SHOT, PRUNING):
                key = key_of(method, ratio)
                if method == NETADAPT or key in bench.result["chosen"][name]:
                    wanted[f"{name} {key}"] = job(tune_on, name, f"{key}.start", key, bench.size.tune)
    jobs.done(bench, "trained", wanted)


def _steps_alone(bench: Bench, name: str, ratio: float) -> int:
    """Steps of the base's training, of the training after trimming, and as many as fit in the time of trimming."""
    base = bench.size.base.steps_of(_per_epoch(bench))
    seconds_per_step = float(bench.result["trained"][f"{name} base"]["seconds"]) / base
    return steps_in_all(bench) + round(trim_seconds(bench, name, ratio) / seconds_per_step)


def steps_in_all(bench: Bench) -> int:
    """Steps of the base's training and of the training after trimming."""
    return sum(recipe.steps_of(_per_epoch(bench)) for recipe in (bench.size.base, bench.size.tune))


def _per_epoch(bench: Bench) -> int:
    return len(bench.dataset.train) // bench.size.base.batch
