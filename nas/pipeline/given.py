"""The network that a command is given: of a finished run, or by name or file, with weights or to be trained first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nas.arch import CLASSES, IMAGE
from nas.errors import InputError
from nas.net import Network, load_network
from nas.netadapt import WidthSpace
from nas.pipeline.context import Context
from nas.pipeline.evaluating import keep_start, kept_start, shared_training
from nas.pipeline.own_space import of_network, of_run
from nas.pretrained import adapt, load_pretrained, with_ends_of
from nas.results import RunDir
from nas.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A network to start from.

    Attributes:
        trained: Whether it is trained for the data.
        told: Where its weights come from, for the reader.
    """

    network: Network
    trained: bool
    told: str


def given_network(ctx: Context) -> Given:
    """The network that `network` and `weights` name, before any training.

    Raises:
        InputError: A file is missing or damaged, the weights are another network's, or it was made for other data.
    """
    name, file = str(ctx.settings.network), ctx.settings.weights
    if Path(name).is_dir():
        run = run_of(ctx.settings)
        network = load_network(run.trimmed, run.weights).to(ctx.device)
        require_fit(network, ctx)
        return Given(network=network, trained=True, told=f"weights of {run.path}")
    assert isinstance(ctx.space, WidthSpace)
    if file is None:
        fresh = Network(ctx.space.arch, seed=ctx.settings.seed)
        return Given(network=fresh, trained=False, told="it is trained first, from fresh weights")
    return _with_weights(ctx, ctx.space, file)


def begun(ctx: Context, given: Given) -> Network:
    """The network with weights for the data: trained first where they are not."""
    if given.trained:
        return given.network
    return shared_training(ctx, given.network, weights=ctx.settings.weights)


def run_of(settings: Settings) -> RunDir:
    """The run that `network` names, or the one these settings belong to.

    Raises:
        InputError: There is no such folder, or it is no run's.
    """
    run = RunDir(path=Path(settings.network) if settings.network else settings.runs_dir / settings.name)
    if not run.config.exists():
        raise InputError(f"no run at {run.path}; give network=FOLDER, the folder of a finished run")
    return run


def with_its_space(settings: Settings) -> Settings:
    """Settings whose space is that of the run that `network` names, or the widths of the network that it names.

    Raises:
        InputError: There is no such run or network.
    """
    is_run = settings.network is not None and Path(settings.network).is_dir()
    return of_run(settings, run_of(settings)) if is_run else of_network(settings)


def require_fit(network: Network, ctx: Context) -> None:
    """Refuse a network made for other data.

    Raises:
        InputError: It was.
    """
    made_for = (network.arch.widths[IMAGE], network.arch.classes)
    here = (ctx.dataset.channels, len(ctx.dataset.classes))
    if made_for != here:
        raise InputError(
            f"network={ctx.settings.network} reads {made_for[0]} channels and tells {made_for[1]} classes apart, "
            f"{ctx.dataset.name} has {here[0]} and {here[1]}; give the data it was trained on"
        )


def _with_weights(ctx: Context, space: WidthSpace, file: Path) -> Given:
    """The network with the weights of a file; those that fit are kept in the run, whatever becomes of the file."""
    kept = kept_start(ctx.run.path, space.arch)
    if kept is not None:
        return Given(network=kept.to(ctx.device), trained=True, told=f"weights of {file}")
    made = with_ends_of(space.arch, file)
    network = load_pretrained(Network(made), file).to(ctx.device).eval()
    if made == space.arch:
        keep_start(ctx.run.path, network)
        return Given(network=network, trained=True, told=f"weights of {file}")
    channels, classes = space.arch.widths[IMAGE], space.arch.widths[CLASSES]
    adapted = adapt(network, classes=classes, image_channels=channels, seed=ctx.settings.seed)
    told = (
        f"weights of {file}, of {made.widths[CLASSES]} classes and {made.widths[IMAGE]} image channels: adapted to "
        f"{classes} and {channels} and trained first"
    )
    return Given(network=adapted, trained=False, told=told)
