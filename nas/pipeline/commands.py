"""What each command does, over typed settings; every function returns the process's exit code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from nas.errors import InputError
from nas.files import write_json, write_whole
from nas.latency.measure import space_key
from nas.net import load_network
from nas.pipeline import training
from nas.pipeline.catalogue import profile_catalogue
from nas.pipeline.context import opened, say
from nas.pipeline.designs import chosen, count_lines, counts, distinct
from nas.pipeline.evaluating import oracle_of, started
from nas.pipeline.finishing import finish
from nas.pipeline.given import require_fit, run_of, with_its_space
from nas.pipeline.own_space import of_run
from nas.pipeline.pricing import Pricer, open_pricer
from nas.pipeline.profiling import profile_lines
from nas.pipeline.reporting import in_ms, write_report
from nas.pipeline.stages import budget_of, delivered, prices, searched
from nas.pipeline.sweeping import sweep_budgets
from nas.pipeline.trimming import trim_to_budget
from nas.results import RunDir, load, progress_reporter, proof_svg, show, table_lines, table_page, write_pages
from nas.results.catalogue import catalogue_lines
from nas.results.catalogue_svg import catalogue_svg
from nas.searcher import extremes
from nas.settings import CountSettings, Settings


def search(settings: Settings) -> int:
    """Measure, train, search, trim, fine-tune, export, verify, report."""
    console = Console()
    with opened(settings, console) as ctx:
        pricer = prices(ctx)
        budget = budget_of(ctx, pricer, settings.budget_ms, extremes(ctx.space, pricer))
        for note in (f"budget {budget.ms:.4g} ms: {budget.origin}", *pricer.notes, *ctx.dataset.notes):
            say(console, note)
        oracle = oracle_of(ctx)
        found = searched(ctx, pricer, [budget], oracle.evaluator)
        network = started(ctx, oracle, found.best.arch)
        report = finish(ctx, pricer, budget, network, found=found, evaluator=oracle.evaluator)
    show(report, console)
    return 0


def sweep(settings: Settings) -> int:
    """Search for several budgets in one study, then finish a network for each."""
    return sweep_budgets(settings)


def trim(settings: Settings) -> int:
    """Trim a given network, of a run or by name, to a budget, fine-tune, export, verify, report."""
    return trim_to_budget(settings)


def measure(settings: Settings) -> int:
    """Measure the latency table of a space, or of a network's widths, print its proof and write it as a page."""
    console, settings = Console(), with_its_space(settings)
    dataset = settings.load_data()
    space = settings.make_space(image_channels=dataset.channels, classes=len(dataset.classes))
    with progress_reporter(console) as progress:
        pricer = open_pricer(settings, space, own=None, progress=progress)
    lines = table_lines(pricer.table, space_key(space), str(pricer.path))
    for line in (*pricer.notes, *lines, *_publish(pricer)):
        say(console, line)
    return 0


def train(settings: Settings) -> int:
    """Train the supernet of a space, or the network that `network` names."""
    return training.train(settings)


def export(settings: Settings) -> int:
    """Export the weights of a run again, behind the parity gate, and time the file; its report follows."""
    console = Console()
    source = run_of(settings)
    with opened(of_run(settings, source), console, finished=source) as ctx:
        network = load_network(source.trimmed, source.weights)
        require_fit(network, ctx)
        source.verification.unlink(missing_ok=True)
        result = delivered(ctx, prices(ctx), network)
        measured_ms = in_ms(result.verification.timing)
        if source.report.exists():
            write_report(ctx, replace(load(source.report), measured_ms=measured_ms))
    say(
        console,
        f"{source.onnx}: measured {measured_ms.median:.4g} ms [{measured_ms.low:.4g}, {measured_ms.high:.4g}], "
        f"p90 {measured_ms.p90:.4g}, {measured_ms.runs} runs; "
        f"against torch, {result.parity}",
    )
    return 0


def report(settings: Settings) -> int:
    """Show a run's report again and rewrite its page."""
    run = run_of(settings)
    if not run.report.exists():
        raise InputError(f"{run.path} holds no report.json; finish the run with the command that began it")
    found = load(run.report)
    write_pages(run, found)
    show(found, Console())
    return 0


def profile(settings: Settings) -> int:
    """Say what a space or a network takes on a target and where the time goes; nothing is trained."""
    console = Console()
    if settings.network and settings.network in settings.catalogue and not Path(settings.network).exists():
        settings = replace(settings, networks=(settings.network,))
    if settings.networks is not None:
        return _profile_networks(settings, console)
    if settings.network and Path(settings.network).is_dir():
        settings = with_its_space(settings)
    dataset = settings.load_data()
    space = settings.make_space(image_channels=dataset.channels, classes=len(dataset.classes))
    with progress_reporter(console) as progress:
        pricer = open_pricer(settings, space, own=None, progress=progress)
        lines = profile_lines(settings, space, pricer)
    for line in (*pricer.notes, *lines):
        say(console, line)
    return 0


def count(settings: CountSettings) -> int:
    """Count parameters and multiply-accumulates of hand-designed networks; no target, no data."""
    archs = chosen(settings.networks, settings.catalogue, settings.design)
    found = counts(archs)
    if settings.json is not None:
        write_json(settings.json, found)
    for line in count_lines({name: found[name] for name in distinct(archs)}):
        say(Console(), line)
    return 0


def _profile_networks(settings: Settings, console: Console) -> int:
    """Predict, measure and explain hand-designed networks; write the picture and what was found."""
    run = load(RunDir(path=settings.run).report) if settings.run is not None else None
    with progress_reporter(console) as progress:
        found = profile_catalogue(settings, progress)
    for line in catalogue_lines(found):
        say(console, line)
    path = settings.json or settings.runs_dir / f"networks-{settings.target.name}.json"
    write_json(path, found.to_dict())
    picture = write_whole(path.with_suffix(".svg"), catalogue_svg(found, run))
    say(console, f"{path}, picture {picture}")
    return 0


def _publish(pricer: Pricer) -> list[str]:
    """Write the page and the picture of this machine's table beside it; what to tell the user of them."""
    table, path = pricer.table, pricer.path
    if not (pricer.local and path.exists()):
        return []
    page_path = write_whole(path.with_suffix(".html"), table_page(table, path.name))
    for space, calibration in table.calibrations.items():
        write_whole(path.with_suffix(f".{space}.svg"), proof_svg(calibration.proof))
    return [f"page with pictures: {page_path}"]
