"""The report of a run, put together from what its stages returned."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from nas.accuracy import Evaluator, Filtered, standard_error
from nas.arch import Arch, cost
from nas.files import read_json
from nas.latency.measure import space_key
from nas.latency.table import LatencyTable
from nas.latency.timing import Timing
from nas.netadapt import Move, WidthSpace
from nas.pipeline.context import Context
from nas.pipeline.pricing import Pricer
from nas.pipeline.references import references_of
from nas.pipeline.stages import Budget, Delivered
from nas.results import (
    DataSummary,
    LayerLatency,
    MeasuredMs,
    MoveRow,
    ParetoRow,
    Point,
    RunReport,
    SearchSummary,
    SpaceSummary,
    TableSummary,
    run_scalars,
    save,
    write_pages,
    write_scalars,
)
from nas.searcher import SearchResult
from nas.space import SearchSpace

STEADY_DRIFT = 0.05
# Keys that the next commands give themselves.
_NOT_KEPT = ("name", "network", "weights", "design", "budget_ms", "budgets")


def build_report(
    ctx: Context,
    *,
    pricer: Pricer,
    budget: Budget,
    arch: Arch,
    test_accuracy: float,
    validation_accuracy: float,
    delivered: Delivered,
    moves: Sequence[Move],
    dropped: int,
    margin: float,
    found: SearchResult | None,
    evaluator: Evaluator | None = None,
) -> RunReport:
    """Everything a run found, as one value.

    Args:
        ctx: The run.
        pricer: Its prices.
        budget: Its budget.
        arch: The network handed over.
        test_accuracy: Its top-1 share on the test split.
        validation_accuracy: The same on the validation split.
        delivered: The exported file's parity and latency.
        moves: How it was trimmed.
        dropped: Proposals to trim that had no numeric score or loss.
        margin: Share of the budget that predictions had to leave.
        found: What the search evaluated; None where there was no search.
        evaluator: What scored it.
    """
    costs = cost(arch)
    plotted = found if evaluator is None or evaluator.is_accuracy else None
    return RunReport(
        name=ctx.run.path.name,
        budget_ms=budget.ms,
        budget_origin=budget.origin,
        measured_ms=in_ms(delivered.verification.timing),
        predicted_ms=pricer(arch),
        test_accuracy=test_accuracy,
        validation_accuracy=validation_accuracy,
        params=costs.params,
        macs=costs.macs,
        target=ctx.settings.target,
        host=pricer.table.host,
        seed=ctx.settings.seed,
        files=_files(ctx, moved=bool(moves)),
        seconds=ctx.run.seconds(),
        table=_table(pricer.table, pricer.path, ctx.space),
        space=SpaceSummary(
            name=ctx.space.name,
            fastest_ms=budget.bounds.fastest.latency_ms,
            slowest_ms=budget.bounds.slowest.latency_ms,
        ),
        data=DataSummary(
            name=ctx.dataset.name,
            classes=ctx.dataset.classes,
            mean=ctx.dataset.mean,
            std=ctx.dataset.std,
            train_images=len(ctx.dataset.train),
            validation_images=len(ctx.dataset.val),
            test_images=len(ctx.dataset.test),
            size_px=ctx.dataset.size_px,
            channels=ctx.dataset.channels,
        ),
        search=_search(ctx, found, evaluator, moves),
        trim=tuple(MoveRow(**asdict(move)) for move in moves),
        dropped_proposals=dropped,
        pareto=pareto_rows(plotted, moves),
        evaluated=tuple(Point(latency_ms=trial.latency_ms, accuracy=trial.accuracy) for trial in plotted.trials)
        if plotted
        else (),
        layers=tuple(
            LayerLatency(layer=share.layer, kernel=share.kernel, ms=share.ms) for share in pricer.breakdown(arch)
        ),
        references=references_of(ctx.settings, pricer, ctx.dataset, budget_ms=budget.ms),
        next=_next(ctx, budget),
        notes=(
            *pricer.notes,
            *ctx.dataset.notes,
            *_notes(budget, delivered, margin),
            *_trimming_notes(ctx, moves, dropped, searched=found is not None),
            *_scored(found, evaluator),
        ),
    )


def _search(
    ctx: Context, found: SearchResult | None, evaluator: Evaluator | None, moves: Sequence[Move]
) -> SearchSummary:
    """What was predicted, and by what; without a search, what the weights scored after trimming."""
    if found is None or evaluator is None:
        scored = moves[-1].accuracy_after if moves else None
        error = None if scored is None else standard_error(scored, len(ctx.dataset.val))
        return SearchSummary(
            trials=0, inherited_accuracy=scored, standard_error=error, evaluator="weights before fine-tuning"
        )
    score = found.best.accuracy if evaluator.is_accuracy else None
    return SearchSummary(
        trials=len(found.trials),
        inherited_accuracy=score,
        standard_error=None if score is None else evaluator.standard_error(score),
        evaluator=evaluator.name,
    )


def _scored(found: SearchResult | None, evaluator: Evaluator | None) -> list[str]:
    """What a reader should know of the scores."""
    notes = []
    if found is not None and isinstance(evaluator, Filtered):
        seen = evaluator.candidates()
        notes.append(f"{len(found.trials)} of {seen} candidates were scored; the others {evaluator.filter} declined")
    if found is not None and evaluator is not None and not evaluator.is_accuracy:
        notes.append(
            f"scores of {evaluator.name} are no accuracies and only rank ({found.best.accuracy:.6g} for the winner); "
            f"they are in trials.csv, and no front of them is drawn"
        )
    return notes


def in_ms(timing: Timing) -> MeasuredMs:
    """A timing as reports hold it."""
    return MeasuredMs(
        median=timing.median_us / 1000,
        low=timing.low_us / 1000,
        high=timing.high_us / 1000,
        p90=timing.p90_us / 1000,
        runs=timing.runs,
    )


def write_report(ctx: Context, report: RunReport) -> None:
    """Write the report's files: JSON last, for a reader that waits for it."""
    write_pages(ctx.run, report)
    write_scalars(ctx.run.tensorboard, run_scalars(report))
    save(report, ctx.run.report)


def _files(ctx: Context, *, moved: bool) -> dict[str, str]:
    run = ctx.run
    files = {
        "onnx": run.onnx,
        "weights": run.weights,
        "arch": run.trimmed,
        "report": run.html,
        "report_json": run.report,
        "pareto": run.pareto,
        "moves": run.moves,
        "trim_svg": run.trim_svg,
        "trials": run.trials,
        "data": run.data,
        "split": run.split,
        "table": run.table,
        "tensorboard": run.tensorboard,
    }
    written_last = {run.html, run.report, run.pareto, run.tensorboard, *((run.moves, run.trim_svg) if moved else ())}
    return {name: str(path) for name, path in files.items() if path in written_last or path.exists()}


def _table(table: LatencyTable, path: Path, space: SearchSpace) -> TableSummary:
    calibration = table.calibrations.get(space_key(space))
    proof = calibration.proof if calibration else None
    return TableSummary(
        path=str(path),
        hash=table.hash,
        rows=len(table.rows),
        heldout_networks=proof.networks if proof else 0,
        mean_error_pct=proof.mape_pct if proof else None,
        max_error_pct=proof.max_pct if proof else None,
        notes=(f"measured {table.measured_on} in {table.seconds:.0f} s, statistic {table.statistic}",),
    )


def pareto_rows(found: SearchResult | None, moves: Sequence[Move]) -> tuple[ParetoRow, ...]:
    """The observed front, fastest first, and the winner beside it where the search's model does not believe the front.

    Args:
        found: What the search evaluated; None: no rows.
        moves: How the winner was trimmed.
    """
    if found is None:
        return ()
    rows, front = [], {candidate.key: candidate for candidate in (*found.pareto, found.best)}
    fate = "found; then trimmed and trained" if moves else "found; then trained"
    if found.best not in found.pareto:
        fate += "; best by the search's model, not by one noisy score"
    for candidate in sorted(front.values(), key=lambda candidate: candidate.latency_ms):
        costs, winner = cost(candidate.arch), candidate.key == found.best.key
        rows.append(
            ParetoRow(
                latency_ms=candidate.latency_ms,
                accuracy=candidate.accuracy,
                params=costs.params,
                macs=costs.macs,
                note=fate if winner else "",
                winner=winner,
            )
        )
    return tuple(rows)


def _notes(budget: Budget, delivered: Delivered, margin: float) -> list[str]:
    parity, verification = delivered.parity, delivered.verification
    notes = [
        f"budget {budget.ms:.4g} ms: {budget.origin}",
        f"predictions were held {margin:.1%} below the budget, for the table's own error",
        f"ONNX against torch: {parity}",
    ]
    if abs(verification.drift - 1) > STEADY_DRIFT:
        notes.append(
            f"anchor networks ran at {verification.drift:.2f} of their predicted time beside the winner: the machine "
            f"is not in the state the table was measured in; measure again, or close other programs"
        )
    return notes


def _trimming_notes(ctx: Context, moves: Sequence[Move], dropped: int, *, searched: bool) -> list[str]:
    notes = []
    if not moves and not searched:
        notes.append("no width was changed: the network keeps the budget as it is")
    if dropped:
        notes.append(f"{dropped} proposals to trim were dropped: their score or loss was no number")
    if ctx.run.teacher.exists():
        notes.append(f"teacher of the fine-tuning: {read_json(ctx.run.teacher).get('teacher')}")
    return notes


def _next(ctx: Context, budget: Budget) -> tuple[str, ...]:
    network, logs = f"network={ctx.run.path}", ctx.run.tensorboard
    search = _command(ctx, "search", "-m", f"budget_ms={0.7 * budget.ms:.3g},{1.4 * budget.ms:.3g}")
    return (
        _command(ctx, "trim", network, f"budget_ms={0.8 * budget.ms:.3g}"),
        *(() if isinstance(ctx.space, WidthSpace) else (search,)),
        _command(ctx, "profile", network),
        shlex.join(("tensorboard", "--logdir", str(logs))),
    )


def _command(ctx: Context, name: str, *arguments: str) -> str:
    """A command to copy, on the same data and space as the run's own."""
    kept = [text for text in ctx.settings.overrides if re.split(r"[.=]", text.lstrip("+"))[0] not in _NOT_KEPT]
    return shlex.join(("python", "-m", f"nas.{name}", *kept, *arguments))
