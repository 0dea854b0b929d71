"""How a run scores candidates, and the trained network that its later stages begin with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, assert_never

from nas.accuracy import (
    PROXY_IMAGES,
    REFERENCES,
    Blended,
    CallableEvaluator,
    Evaluator,
    Filtered,
    ProxyEvaluator,
    ShortTrainingEvaluator,
    SupernetEvaluator,
)
from nas.arch import Arch, to_json
from nas.errors import InputError
from nas.files import exclusive, write_whole
from nas.latency.anchors import anchors_of
from nas.net import Network, load_network, save_network
from nas.pipeline.context import Context
from nas.pipeline.starting import starting_weights
from nas.pipeline.tuning import fine_tuned
from nas.settings import CallableSettings, ShortTrainingSettings, SupernetSettings, ZeroCostSettings
from nas.training import discard, train_supernet

_START, _STARTED = "start.safetensors", "start.json"  # weights to trim from, and the network they are of


@dataclass(frozen=True, kw_only=True, slots=True)
class Oracle:
    """How candidates are scored.

    Attributes:
        supernet: Whose weights the network that was found inherits; None: it is trained first.
    """

    evaluator: Evaluator
    supernet: SupernetEvaluator | None


def oracle_of(ctx: Context) -> Oracle:
    """Stage `supernet`, where there is one, and the evaluator that `accuracy` names, behind its filter.

    Raises:
        InputError: The data are too few, or a file is damaged or of another training.
        StorageError: A file cannot be written.
    """
    oracle = _unfiltered(ctx)
    wanted = ctx.settings.cheap_filter
    if wanted is None:
        return oracle
    proxy = ProxyEvaluator(
        wanted.proxy, ctx.dataset, seed=ctx.settings.seed, device=ctx.device, folder=ctx.run.path / "filter"
    )
    return replace(oracle, evaluator=Filtered(oracle.evaluator, proxy, share=wanted.share))


def supernet_of(ctx: Context) -> SupernetEvaluator:
    """Stage `supernet`: trained once and shared by every run that asks for the same.

    Raises:
        InputError: This kind of accuracy has no supernet.
    """
    settings = ctx.settings.accuracy
    if isinstance(settings, ShortTrainingSettings) and settings.supernet is not None:
        settings = settings.supernet
    if not isinstance(settings, SupernetSettings):
        raise InputError("this accuracy has no supernet to train or to inherit from; choose accuracy=supernet")
    folder = _cache(ctx) / f"supernet-{_supernet_key(ctx, settings)}"
    with exclusive(folder / ".lock"), ctx.run.timed("supernet", ctx.progress) as progress:
        supernet = train_supernet(
            ctx.space,
            ctx.dataset,
            settings.recipe,
            strategy=settings.make_strategy(),
            seed=ctx.settings.seed,
            device=ctx.device,
            checkpoint=folder / "supernet.safetensors",
            progress=progress,
            init=starting_weights(ctx, settings, folder),
        )
    return SupernetEvaluator(
        supernet, ctx.dataset, images=settings.recalibration_images, seed=ctx.settings.seed, folder=folder
    )


def started(ctx: Context, oracle: Oracle, arch: Arch) -> Network:
    """The trained network that trimming begins with: inherited weights, or, without a supernet, a training of its own.

    That training begins with fresh weights.
    """
    if oracle.supernet is not None:
        return oracle.supernet.network(arch)
    return _trained_alone(ctx, Network(arch, seed=ctx.settings.seed), ctx.run.path)


def shared_training(ctx: Context, start: Network, *, weights: Path | None) -> Network:
    """Stage `train` of a network that several runs may trim: trained once for all that ask for the same.

    Args:
        ctx: The run.
        start: What the training begins with.
        weights: The file that it was made from; None: fresh weights.
    """
    parts = {
        "arch": to_json(start.arch),
        "recipe": asdict(ctx.settings.finetune),
        "weights": _content(weights),
        "data": ctx.dataset.digest(),
        "seed": ctx.settings.seed,
    }
    folder = _cache(ctx) / f"network-{_hash(parts)}"
    with exclusive(folder / ".lock"):
        return _trained_alone(ctx, start, folder)


def _trained_alone(ctx: Context, start: Network, folder: Path) -> Network:
    """Stage `train`: a network trained by the recipe of `finetune`; a folder that keeps it has it at once."""
    kept = kept_start(folder, start.arch)
    if kept is not None:
        return kept.to(ctx.device)
    checkpoint = folder / "train.safetensors"
    network = fine_tuned(ctx, start, checkpoint=checkpoint, stage="train")
    keep_start(folder, network)
    discard(checkpoint)
    return network


def kept_start(folder: Path, arch: Arch) -> Network | None:
    """The network that a folder keeps to trim from; None where it keeps none, or another one."""
    described, weights = folder / _STARTED, folder / _START
    if described.exists() and weights.exists() and described.read_text(encoding="utf-8") == to_json(arch):
        return load_network(described, weights)
    return None


def keep_start(folder: Path, network: Network) -> None:
    """Keep the network that trimming begins with; its description last, which says that the weights are whole."""
    save_network(folder / _START, network)
    write_whole(folder / _STARTED, to_json(network.arch))


def _unfiltered(ctx: Context) -> Oracle:
    settings = ctx.settings.accuracy
    match settings:
        case SupernetSettings():
            supernet = supernet_of(ctx)
            return Oracle(evaluator=_blended(ctx, supernet, settings), supernet=supernet)
        case ShortTrainingSettings():
            return _short_training(ctx, settings)
        case ZeroCostSettings():
            proxy = _shared_proxy(ctx, settings.score, images=settings.images)
            return Oracle(evaluator=proxy, supernet=None)
        case CallableSettings():
            return Oracle(evaluator=_callable(ctx, settings), supernet=None)
        case _:
            assert_never(settings)


def _blended(ctx: Context, supernet: SupernetEvaluator, settings: SupernetSettings) -> Evaluator:
    if settings.blend is None:
        return supernet
    proxy = _shared_proxy(ctx, settings.blend)
    return Blended(supernet, proxy, anchors_of(ctx.space, REFERENCES), share=settings.blend_share)


def _shared_proxy(ctx: Context, score: str, *, images: int = PROXY_IMAGES) -> ProxyEvaluator:
    """A zero-cost score, kept for every run that asks for the same."""
    folder = _scores(ctx, {"score": score, "images": images})
    return ProxyEvaluator(score, ctx.dataset, images=images, seed=ctx.settings.seed, device=ctx.device, folder=folder)


def _short_training(ctx: Context, settings: ShortTrainingSettings) -> Oracle:
    supernet = supernet_of(ctx) if settings.start == "supernet" else None
    origin = f"supernet {supernet.identity}" if supernet else "fresh"
    evaluator = ShortTrainingEvaluator(
        supernet.network if supernet else partial(Network, seed=ctx.settings.seed),
        ctx.dataset,
        settings.recipe,
        origin=origin,
        unpromising=settings.make_pruner(),
        images=settings.recalibration_images,
        seed=ctx.settings.seed,
        device=ctx.device,
        folder=_scores(ctx, {"origin": origin, "settings": asdict(settings)}),
    )
    return Oracle(evaluator=evaluator, supernet=supernet)


def _callable(ctx: Context, settings: CallableSettings) -> CallableEvaluator:
    parts = {"callable": settings.evaluator, "options": settings.options}
    return CallableEvaluator(
        settings.make(dataset=ctx.dataset, device=ctx.device, seed=ctx.settings.seed),
        name=f"callable {settings.evaluator}",
        is_accuracy=settings.is_accuracy,
        identity=json.dumps([parts, ctx.settings.seed, ctx.dataset.digest()], sort_keys=True, default=str),
        folder=ctx.run.path,  # what its code was then is not known, so no other run may trust its scores
    )


def _cache(ctx: Context) -> Path:
    return ctx.settings.runs_dir / ".cache"


def _scores(ctx: Context, parts: Mapping[str, Any]) -> Path:
    """Folder of the scores that runs with the same settings share."""
    return _cache(ctx) / f"scores-{_hash({**parts, 'data': ctx.dataset.digest(), 'seed': ctx.settings.seed})}"


def _supernet_key(ctx: Context, settings: SupernetSettings) -> str:
    """Identifies everything that a supernet's weights depend on."""
    return _hash(
        {
            "space": ctx.settings.composed["space"],
            "recipe": asdict(settings.recipe),
            "strategy": repr(settings.make_strategy()),
            "init_network": settings.init_network,
            "init": _content(settings.init),
            "data": ctx.dataset.digest(),
            "seed": ctx.settings.seed,
        }
    )


def _content(file: Path | None) -> str:
    """What a file holds, as a hash; its name where there is no such file."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file and file.is_file() else str(file)


def _hash(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]
