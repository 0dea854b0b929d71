"""Stage `trim`: a network is narrowed until it is not only predicted but measured within its budget.

Predictions must leave a margin below the budget. It begins with what the table's own held-out networks took beyond
their predictions; when a network is measured above the budget all the same, trimmed or handed over, the margin is
widened by what was missing, and trimming goes on. Every attempt has its folder, so that a killed run, and one whose
exported network turned out too slow, goes on from what the folders say.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from nas.accuracy import ValidationScore
from nas.arch import Arch, to_json
from nas.convert import build
from nas.deploy import Verification
from nas.errors import InfeasibleError
from nas.files import read_json, write_json, write_whole
from nas.latency.measure import space_key
from nas.latency.model import LacksRowsError
from nas.latency.proof import Proof
from nas.net import Network
from nas.netadapt import Latency, Move, trim, tuner
from nas.pipeline.context import Context
from nas.pipeline.pricing import Pricer
from nas.pipeline.stages import timed
from nas.progress import Progress

FITTINGS = 4  # times the trimming may be repeated with a wider margin
SAFETY = 0.005  # share of the budget left over when the margin is widened
TIMING = "timing.json"  # in an attempt's folder: what its network was measured at,
MARGIN = "margin.json"  # and the margin that follows from it
COVERED = 0.9  # share of the held-out networks that the first margin would have kept within any budget


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """A network trimmed until it was measured within the budget, or as far as it could be.

    Attributes:
        dropped: Proposals without a numeric score or loss.
        margin: Share of the budget that predictions had to leave.
        attempt: Folder of the trimming that led to it.
        last: Whether no other could follow.
    """

    network: Network
    moves: tuple[Move, ...]
    dropped: int
    margin: float
    attempt: Path
    last: bool


def fitted(ctx: Context, pricer: Pricer, budget_ms: float, network: Network) -> Fitted:
    """Trim a network until it is measured within the budget.

    A network that cannot be narrowed so far is kept, and the report says by how much it fails.

    Raises:
        InfeasibleError: No trimming is even predicted within the budget.
    """
    calibration = pricer.table.calibrations.get(space_key(ctx.space))
    margin = first_margin(calibration.proof) if calibration else 0.0
    found = Fitted(network=network, moves=(), dropped=0, margin=margin, attempt=ctx.run.trim, last=False)
    with ctx.run.timed("trim", ctx.progress) as progress:
        for attempt in range(FITTINGS):
            folder, last = ctx.run.trim / str(attempt), attempt == FITTINGS - 1
            start = replace(found, margin=margin, attempt=folder, last=last)
            trimmed = _trimmed if attempt else _first_trimmed
            try:
                found = trimmed(ctx, pricer, start, budget_ms=budget_ms, progress=progress)
            except InfeasibleError:
                if attempt == 0:
                    raise
                found = replace(found, last=True)
                break
            high_ms = _high_ms(ctx, pricer, found)
            if high_ms <= budget_ms:
                break
            margin = _widened(pricer, found, high_ms)
        write_whole(ctx.run.trimmed, to_json(found.network.arch))
    return found


def first_margin(proof: Proof) -> float:
    """Share of a budget that predictions must leave for `COVERED` of the held-out networks to keep it."""
    predicted_ms, measured_ms = np.array(proof.predicted_ms), np.array(proof.measured_ms)
    return max(0.0, float(np.quantile(1 - predicted_ms / measured_ms, COVERED)))


def _widened(pricer: Pricer, found: Fitted, high_ms: float) -> float:
    """The margin of the next attempt; kept, for prices move when a table grows, and a killed run has to ask alike."""
    path = found.attempt / MARGIN
    kept = read_json(path) if path.exists() else {}
    if not isinstance(kept, dict) or kept.get("high_ms") != high_ms:
        kept = {"high_ms": high_ms, "margin": 1 - (1 - SAFETY) * pricer(found.network.arch) / high_ms}
        write_json(path, kept)
    return float(kept["margin"])


def withdraw(ctx: Context, found: Fitted, verification: Verification) -> None:
    """Take back a network whose exported file was measured above the budget: the next `fitted` trims on.

    Its weights go first: without them a run that is killed here makes the same network again.
    """
    ctx.run.weights.unlink(missing_ok=True)
    write_json(found.attempt / TIMING, asdict(verification))


def _first_trimmed(ctx: Context, pricer: Pricer, start: Fitted, *, budget_ms: float, progress: Progress) -> Fitted:
    """Trim with the margin; a budget that only leaves no room for it is tried all the same, and measured."""
    try:
        return _trimmed(ctx, pricer, start, budget_ms=budget_ms, progress=progress)
    except InfeasibleError:
        whole = replace(start, margin=0.0, attempt=ctx.run.trim / "whole")
        return _trimmed(ctx, pricer, whole, budget_ms=budget_ms, progress=progress)


def _trimmed(ctx: Context, pricer: Pricer, start: Fitted, *, budget_ms: float, progress: Progress) -> Fitted:
    """Trim what was reached before, in the folder and with the margin of the new attempt."""
    settings = ctx.settings.netadapt
    score = ValidationScore(
        ctx.dataset,
        device=ctx.device,
        images=ctx.settings.accuracy.recalibration_images,
        reference=start.network,
    )
    result = trim(
        start.network,
        _known_prices(pricer),
        budget_ms=budget_ms * (1 - start.margin),
        settings=replace(settings, grain=pricer.grain),
        score=score,
        calibration=score.calibration,
        tune=tuner(ctx.dataset, replace(ctx.settings.finetune, lr=settings.tune_lr), device=ctx.device),
        prepare=pricer.prepare,
        folder=start.attempt,
        workers=ctx.settings.workers if score.ready(start.network.arch.size_px) else 1,
        progress=progress,
    )
    moves, dropped = start.moves + result.moves, start.dropped + result.dropped
    return replace(start, network=result.network, moves=moves, dropped=dropped)


def _known_prices(pricer: Pricer) -> Latency:
    """Milliseconds of a network; infinity of one that another machine's table cannot price: no move goes there."""

    def price(arch: Arch) -> float:
        try:
            return pricer(arch)
        except LacksRowsError:
            return math.inf

    return price


def _high_ms(ctx: Context, pricer: Pricer, found: Fitted) -> float:
    """Upper end of the network's measured latency; what was measured before is not measured again."""
    path = found.attempt / TIMING
    if path.exists():
        verification = build(Verification, read_json(path), str(path))
    else:
        verification = timed(ctx, pricer, found.network.arch)
        write_json(path, asdict(verification))
    return verification.timing.high_us / 1000
