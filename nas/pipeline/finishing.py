"""From a network with inherited weights to its report: trimmed, fine-tuned, exported, verified."""

from __future__ import annotations

from nas.accuracy import Evaluator
from nas.net import Network
from nas.pipeline.context import Context
from nas.pipeline.fitting import Fitted, fitted, withdraw
from nas.pipeline.pricing import Pricer
from nas.pipeline.reporting import build_report, write_report
from nas.pipeline.stages import Budget, Delivered, delivered, tuned
from nas.results import RunReport
from nas.searcher import SearchResult
from nas.training import accuracy


def finish(
    ctx: Context,
    pricer: Pricer,
    budget: Budget,
    network: Network,
    *,
    found: SearchResult | None,
    evaluator: Evaluator | None = None,
) -> RunReport:
    """From a trained network to its report.

    Args:
        ctx: The run.
        pricer: Its prices.
        budget: Its budget.
        network: Trained; left as it is.
        found: What the search evaluated; None where there was no search.
        evaluator: What scored it.
    """
    trimmed, trained, handed = _handed_over(ctx, pricer, budget.ms, network)
    with ctx.run.timed("report", ctx.progress):
        test_accuracy, validation_accuracy = (
            accuracy(trained, split, ctx.dataset) for split in (ctx.dataset.test, ctx.dataset.val)
        )
    result = build_report(
        ctx,
        pricer=pricer,
        budget=budget,
        arch=trained.arch,
        test_accuracy=test_accuracy,
        validation_accuracy=validation_accuracy,
        delivered=handed,
        moves=trimmed.moves,
        dropped=trimmed.dropped,
        margin=trimmed.margin,
        found=found,
        evaluator=evaluator,
    )
    write_report(ctx, result)
    return result


def _handed_over(ctx: Context, pricer: Pricer, budget_ms: float, network: Network) -> tuple[Fitted, Network, Delivered]:
    """Trim, train and export until the exported file keeps the budget, or no other trimming can follow."""
    while True:
        trimmed = fitted(ctx, pricer, budget_ms, network)
        trained = tuned(ctx, trimmed.network, network)
        handed = delivered(ctx, pricer, trained)
        if trimmed.last or handed.verification.timing.high_us / 1000 <= budget_ms:
            return trimmed, trained, handed
        withdraw(ctx, trimmed, handed.verification)
