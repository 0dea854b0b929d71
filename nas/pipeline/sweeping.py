"""Several budgets: one table, one supernet and one study for all, then a run folder of its own for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from nas.arch import to_json
from nas.errors import InfeasibleError, InputError, NasError
from nas.files import write_whole
from nas.pipeline.context import Context, opened, say
from nas.pipeline.evaluating import Oracle, oracle_of, started
from nas.pipeline.finishing import finish
from nas.pipeline.pricing import Pricer
from nas.pipeline.stages import Budget, budget_of, prices, searched
from nas.results import RunDir, RunReport, load, save_sweep, sweep_lines, sweep_rows
from nas.searcher import SearchResult, extremes
from nas.settings import Settings


def sweep_budgets(settings: Settings) -> int:
    """Find, finish and verify a network for every budget; a budget that fails stops no other.

    Returns:
        The exit code of the worst failure, 0 for none.
    """
    console, errors = Console(), Console(stderr=True)
    if settings.budgets is None:
        raise InputError("nas.sweep needs budgets=[...], milliseconds, e.g. budgets=[0.2,0.3,0.5]")
    failures: dict[str, NasError] = {}
    reports: dict[Path, RunReport] = {}

    def failed(ms: float, error: NasError) -> None:
        failures[f"{ms:.12g}"] = error
        say(errors, f"error: {error}")

    with opened(settings, console) as ctx:
        pricer = prices(ctx)
        budgets = _feasible(ctx, pricer, settings.budgets, failed)
        if budgets:
            for note in (*pricer.notes, *ctx.dataset.notes):
                say(console, note)
            oracle = oracle_of(ctx)
            found = searched(ctx, pricer, budgets, oracle.evaluator)
            for budget in budgets:
                try:
                    report = _one(ctx, pricer, budget, oracle, found)
                except NasError as error:
                    failed(budget.ms, error)
                else:
                    reports[_run(ctx, budget).path] = report
        rows = sweep_rows(reports)
        save_sweep(ctx.run.sweep, rows, {ms: str(error) for ms, error in failures.items()})
    for line in sweep_lines(rows) if rows else ():
        say(console, line)
    return max((error.exit_code for error in failures.values()), default=0)


def _feasible(
    ctx: Context, pricer: Pricer, wanted: Sequence[float], failed: Callable[[float, NasError], None]
) -> list[Budget]:
    bounds, budgets = extremes(ctx.space, pricer), []
    for ms in sorted(wanted):
        try:
            budgets.append(budget_of(ctx, pricer, ms, bounds))
        except InfeasibleError as error:
            failed(ms, error)
    return budgets


def _one(ctx: Context, pricer: Pricer, budget: Budget, oracle: Oracle, found: SearchResult) -> RunReport:
    """The report of one budget; a run that has it is done."""
    run = _run(ctx, budget)
    if run.report.exists():
        return load(run.report)
    part = found.under(budget.ms)
    write_whole(run.arch, to_json(part.best.arch))
    own = replace(ctx, run=run)
    network = started(own, oracle, part.best.arch)
    return finish(own, pricer, budget, network, found=part, evaluator=oracle.evaluator)


def _run(ctx: Context, budget: Budget) -> RunDir:
    return RunDir(path=ctx.run.path / f"{budget.ms:.12g}ms")
