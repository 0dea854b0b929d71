"""The stages of a run. Each leaves a file in the run directory and, called again, starts from it."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx

from nas.accuracy import Evaluator
from nas.arch import Arch, to_json
from nas.convert import build
from nas.data import Dataset
from nas.deploy import Parity, Verification, verify
from nas.errors import InfeasibleError
from nas.files import read_json, write_json, write_whole
from nas.net import Network, load_network, save_network
from nas.pipeline.context import Context
from nas.pipeline.exporting import exported
from nas.pipeline.pricing import Pricer, open_pricer, require_rows
from nas.pipeline.teaching import teacher_of
from nas.pipeline.tuning import fine_tuned
from nas.progress import silent
from nas.searcher import Extremes, SearchResult, search, trials_csv
from nas.space import known_members, typical
from nas.training import accuracy, discard

ANCHORS = 5  # networks timed beside the winner
METADATA = {"producer": "underbudget"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The budget, where it comes from, and the ends of the space."""

    ms: float
    origin: str
    bounds: Extremes


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """The exported file: how it compares with the network and what it takes on the target."""

    parity: Parity
    verification: Verification


def prices(ctx: Context) -> Pricer:
    """Stage `table`: the run's latency table, measured where there is none."""
    with ctx.run.timed("table", ctx.progress) as progress:
        pricer = open_pricer(ctx.settings, ctx.space, own=ctx.run.table, progress=progress)
        require_rows(pricer, _anchors(ctx))
        return pricer


def _anchors(ctx: Context) -> list[Arch]:
    """The networks that the winner is timed beside."""
    rng = random.Random(f"anchors {ctx.settings.seed}")
    return [ctx.space.build(typical(ctx.space, rng)) for _ in range(ANCHORS)]


def budget_of(ctx: Context, pricer: Pricer, wanted: float | None, bounds: Extremes) -> Budget:
    """A run's budget, checked against the fastest network before anything is trained.

    Args:
        ctx: The run.
        pricer: Its prices.
        wanted: The budget that was asked for, ms; None: one is derived.
        bounds: Fastest and slowest network of the space.

    Raises:
        InfeasibleError: No network fits; the text names the fastest and where its time goes.
    """
    fastest_ms, slowest_ms = bounds.fastest.latency_ms, bounds.slowest.latency_ms
    if wanted is None:
        ms = math.sqrt(fastest_ms * slowest_ms)
        origin = f"geometric mean of the space's fastest ({fastest_ms:.4g} ms) and slowest ({slowest_ms:.4g} ms)"
        return Budget(ms=ms, origin=origin, bounds=bounds)
    if wanted < fastest_ms:
        shares = sorted(pricer.breakdown(bounds.fastest.arch), key=lambda share: -share.ms)[:3]
        parts = ", ".join(f"{share.layer} {share.ms / fastest_ms:.0%}" for share in shares)
        raise InfeasibleError(
            f"budget_ms={wanted:g} cannot be met: the fastest network of {ctx.space.name} takes {fastest_ms:.4g} ms "
            f"on {ctx.settings.target.name} (most in {parts}); raise budget_ms or choose a space with smaller options"
        )
    return Budget(ms=wanted, origin="given", bounds=bounds)


def searched(ctx: Context, pricer: Pricer, budgets: Sequence[Budget], evaluator: Evaluator) -> SearchResult:
    """Stage `search`: one study for all budgets, and the architecture found for the largest."""
    settings, storage = ctx.settings.searcher, ctx.settings.storage
    with ctx.run.timed("search", ctx.progress) as progress:
        result = search(
            ctx.space,
            evaluator,
            pricer,
            budgets_ms=[budget.ms for budget in budgets],
            trials=settings.trials,
            seed=ctx.settings.seed,
            sampler=settings.sampler,
            storage=storage or ctx.run.journal,
            study=ctx.run.path.name if storage else "search",  # a database holds the studies of many runs
            workers=ctx.settings.workers,
            known=known_members(ctx.space),
            slack=settings.slack,
            fingerprint={"accuracy": evaluator.identity, "table scale": f"{pricer.model.scale:.6g}"},
            bounds=budgets[0].bounds,
            progress=progress,
        )
        write_whole(ctx.run.trials, trials_csv(result.trials))
        write_whole(ctx.run.arch, to_json(result.best.arch))
    return result


def tuned(ctx: Context, network: Network, untrimmed: Network) -> Network:
    """Stage `finetune`: train the trimmed network, taught by the untrimmed one where that is wanted.

    Its weights are the run's result.
    """
    if ctx.run.weights.exists():
        return load_network(ctx.run.trimmed, ctx.run.weights)
    checkpoint = ctx.run.path / "finetune.safetensors"
    teacher = _teacher(ctx, network, untrimmed)
    trained = fine_tuned(ctx, network, checkpoint=checkpoint, teacher=teacher).to("cpu").eval()
    ctx.run.verification.unlink(missing_ok=True)  # of older weights
    save_network(ctx.run.weights, trained)
    discard(checkpoint)
    return trained


def _teacher(ctx: Context, network: Network, untrimmed: Network) -> Network | None:
    """Who teaches the trimmed network; what is said of it is kept for the report."""
    wanted = ctx.settings.trim.teacher
    if wanted == "none":
        return None
    teacher, told = teacher_of(
        "the untrimmed network",
        wanted=wanted,
        score=accuracy(untrimmed, ctx.dataset.val, ctx.dataset),
        before=accuracy(network, ctx.dataset.val, ctx.dataset),
        make=lambda: copy.deepcopy(untrimmed).to(ctx.device),
    )
    write_json(ctx.run.teacher, {"teacher": told})
    return teacher


def delivered(ctx: Context, pricer: Pricer, network: Network) -> Delivered:
    """Stages `export` and `verify`: the ONNX file behind its parity gate, timed on the target."""
    if ctx.run.verification.exists() and ctx.run.onnx.exists():
        return build(Delivered, read_json(ctx.run.verification), str(ctx.run.verification))
    predicted_ms = pricer(network.arch)
    metadata = onnx_metadata(network.arch, ctx.dataset, pricer, predicted_ms)
    parity = exported(ctx, network, metadata)
    verification = timed(ctx, pricer, ctx.run.onnx)
    _annotate(ctx.run.onnx, {**metadata, "measured_ms": f"{verification.timing.median_us / 1000:.6g}"})
    result = Delivered(parity=parity, verification=verification)
    write_json(ctx.run.verification, asdict(result))
    return result


def onnx_metadata(arch: Arch, dataset: Dataset, pricer: Pricer, predicted_ms: float) -> dict[str, str]:
    """What the exported file says about itself."""
    return {
        **METADATA,
        "arch": to_json(arch),
        "table": pricer.table.hash,
        "target": pricer.table.target.name,
        "host": json.dumps(asdict(pricer.table.host)),
        "predicted_ms": f"{predicted_ms:.6g}",
        "classes": json.dumps(dataset.classes),
        "mean": json.dumps(dataset.mean),
        "std": json.dumps(dataset.std),
        "normalisation": "(x / 255 - mean) / std, channels first",
    }


def timed(ctx: Context, pricer: Pricer, subject: Arch | Path) -> Verification:
    """Time a network or an exported file on the target, beside networks whose latency the table predicts."""
    with ctx.run.timed("verify", ctx.progress):
        return verify(
            ctx.settings.target,
            subject,
            anchors=_anchors(ctx),
            predict_ms=pricer,
            progress=silent,
        )


def _annotate(path: Path, metadata: Mapping[str, str]) -> None:
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, dict(metadata))
    write_whole(path, model.SerializeToString())
