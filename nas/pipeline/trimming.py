"""`python -m nas.trim`: a given network trimmed to a budget, fine-tuned, exported, verified and reported."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from nas.arch import Arch, to_json
from nas.errors import InputError
from nas.files import write_whole
from nas.netadapt import WidthSpace, narrowest, require_reachable
from nas.pipeline.context import Context, opened, say
from nas.pipeline.finishing import finish
from nas.pipeline.given import begun, given_network, with_its_space
from nas.pipeline.own_space import keep_space
from nas.pipeline.pricing import Pricer, require_rows
from nas.pipeline.stages import Budget, prices
from nas.results import show
from nas.searcher import extremes
from nas.settings import Settings
from nas.space import decisions, largest, mutate


def trim_to_budget(settings: Settings) -> int:
    """Trim the network that `network` names to `budget_ms`; the process's exit code.

    Raises:
        InputError: One of the two is missing, there is no such network, or its weights do not fit.
        InfeasibleError: The budget is below the least that narrowing can reach.
    """
    console = Console()
    with opened(_with_its_space(settings), console) as ctx:
        keep_space(ctx.run, ctx.space)
        given = given_network(ctx)
        arch = given.network.arch
        if isinstance(ctx.space, WidthSpace):
            write_whole(ctx.run.arch, to_json(arch))
        pricer = prices(ctx)
        if isinstance(ctx.space, WidthSpace):
            require_rows(pricer, _first_moves(ctx.space))
        budget = _budget(ctx, pricer, arch)
        for note in (f"{settings.network}: {given.told}", _plan(budget, pricer(arch))):
            say(console, note)
        report = finish(ctx, pricer, budget, begun(ctx, given), found=None)
    show(report, console)
    return 0


def _with_its_space(settings: Settings) -> Settings:
    """Check what was asked for; the settings with the space that prices the network.

    Raises:
        InputError: Something is missing or does not go together.
    """
    if settings.network is None or settings.budget_ms is None:
        raise InputError(
            "nas.trim needs network=FOLDER, FILE or NAME (a finished run, an architecture, a hand-designed network) "
            "and budget_ms=..., the latency to trim to"
        )
    if Path(settings.network).is_dir() and settings.weights is not None:
        raise InputError(
            f"weights={settings.weights}: the run {settings.network} has its own; give the network's file or name"
        )
    return with_its_space(settings)


def _first_moves(space: WidthSpace) -> list[Arch]:
    """The network with one width narrowed, each to each of its channels."""
    return [
        space.build(mutate({}, width, channels, largest))
        for width, options in decisions(space).items()
        for channels in options
    ]


def _budget(ctx: Context, pricer: Pricer, arch: Arch) -> Budget:
    """The budget, checked against what narrowing can reach before anything is trained.

    Raises:
        InfeasibleError: It cannot; the text names the least latency that it can.
    """
    budget_ms = ctx.settings.budget_ms
    assert budget_ms is not None
    own_ms = pricer(arch)
    if own_ms > budget_ms:
        pricer.prepare(narrowest(arch, grain=pricer.grain))
        require_reachable(arch, pricer, budget_ms=budget_ms, grain=pricer.grain)
    origin = f"given; {own_ms:.4g} ms before trimming, as predicted"
    return Budget(ms=budget_ms, origin=origin, bounds=extremes(ctx.space, pricer))


def _plan(budget: Budget, own_ms: float) -> str:
    """What is about to be done."""
    if own_ms <= budget.ms:
        return f"predicted {own_ms:.4g} ms, within budget_ms={budget.ms:g} already: no width needs to change"
    return f"predicted {own_ms:.4g} ms, to be trimmed to budget_ms={budget.ms:g}, {budget.ms / own_ms:.0%} of it"
