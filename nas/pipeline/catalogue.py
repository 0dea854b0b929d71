"""What a target thinks of hand-designed networks: predicted from probes alone, measured, and why they are slow.

No row is made for any of them: the table holds probe networks (`nas.latency.probes`), and lies beside the tables of
spaces as `<host>.vocabulary.json`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nas.arch import Arch, cost
from nas.files import exclusive
from nas.latency.drift import OffLevelError, re_anchor
from nas.latency.experiments import Experiments, run_experiments
from nas.latency.guidelines import by_kind, findings
from nas.latency.measure import measure_space, model_of, space_key
from nas.latency.model import LacksRowsError, LatencyModel
from nas.latency.noise import require_usable
from nas.latency.probes import PLAN, Vocabulary
from nas.latency.runtimes import make_runtime
from nas.latency.session import measure_networks
from nas.latency.table import LatencyTable, load_table, table_path
from nas.latency.timing import UNTIMED_RUNS, summarise
from nas.pipeline.designs import chosen, distinct
from nas.pipeline.pricing import measured_table
from nas.pipeline.reporting import in_ms
from nas.progress import Progress
from nas.results.catalogue import BatchRate, CatalogueReport, NetworkRow
from nas.results.report import MeasuredMs
from nas.settings import Settings, shipped_tables

SESSION_S = 12.0  # of timing in one session
MOST_ROUNDS, LEAST_ROUNDS = 40, 6
BATCH_ROUNDS = 4  # of batches: they are long
TOGETHER = 12  # networks of one session at most
TOGETHER_PARAMS = 150_000_000  # of them: each loaded network holds its weights twice


def vocabulary_path(settings: Settings) -> Path:
    """Where this machine's table of probes lies."""
    here = make_runtime(settings.target).host(settings.target)
    path = table_path(settings.tables_dir, settings.target, here)
    return path.with_name(f"{path.stem}.vocabulary.json")


def open_vocabulary(settings: Settings, progress: Progress) -> tuple[LatencyModel, Path]:
    """The model of this machine's probes, at today's speed: measured when there is none.

    Raises:
        InputError: A table is damaged or another machine's.
        DeviceError: Measuring failed, or the machine is too noisy.
    """
    space, path = Vocabulary(), vocabulary_path(settings)
    here = make_runtime(settings.target).host(settings.target)
    if settings.table is not None:
        host = None if settings.allow_mismatch else here
        return model_of(load_table(settings.table, target=settings.target, host=host), space), settings.table
    shipped = shipped_tables() / settings.target.name / path.name
    known = next((place for place in (path, shipped) if place.exists()), None)
    with exclusive(path.parent / ".lock"):
        if known is not None:
            table = load_table(known, target=settings.target, host=here)
            try:
                if not table.outdated:
                    rounds = settings.latency.rounds
                    anchored = re_anchor(table, space, rounds=rounds, seed=settings.seed, progress=progress)
                    return model_of(anchored.table, space), known
            except OffLevelError:
                pass  # the machine is in another state: measured anew
        table = measured_table(path, lambda folder: _probed(settings, space, folder, progress))
    return model_of(table, space), path


def _probed(settings: Settings, space: Vocabulary, folder: Path, progress: Progress) -> LatencyTable:
    """A table of probes measured now.

    Raises:
        DeviceError: Measuring failed, or the machine is too noisy.
    """
    table = measure_space(
        space, settings.target, PLAN, known=None, seed=settings.seed, folder=folder, progress=progress
    )
    require_usable(table.noise, f"measuring probes on {settings.target.name}")
    return table


def profile_catalogue(settings: Settings, progress: Progress) -> CatalogueReport:
    """Predict, measure and explain the networks that `settings.networks` names.

    Raises:
        InputError: There is no such network, or the table cannot be used.
        DeviceError: Measuring failed, or the machine is too noisy.
    """
    assert settings.networks is not None
    archs = distinct(chosen(settings.networks, settings.catalogue, settings.design))
    model, path = open_vocabulary(settings, progress)
    local = model.table.host == make_runtime(settings.target).host(settings.target)
    experiments = run_experiments(settings.target, seed=settings.seed, progress=progress) if local else None
    timings = _measured(settings, archs, progress) if local else {}
    rates = batch_rates(settings, archs, rounds=BATCH_ROUNDS, progress=progress) if local else {}
    rows = [
        _row(
            name,
            arch,
            model,
            measured=timings.get(name),
            rates=rates.get(name, ()),
            experiments=experiments,
            settings=settings,
        )
        for name, arch in archs.items()
    ]
    calibration = model.table.calibrations.get(space_key(Vocabulary()))
    return CatalogueReport(
        target=settings.target,
        host=model.table.host,
        table=str(path),
        table_hash=model.table.hash,
        table_rows=len(model.table.rows),
        table_s=model.table.seconds,
        probes_mape_pct=calibration.proof.mape_pct if calibration else None,
        noise_pct=model.table.noise.split_half_pct,
        experiments=experiments.found if experiments else (),
        networks=tuple(sorted(rows, key=lambda row: row.ms)),
    )


def sessions(archs: Mapping[str, Arch]) -> Iterator[dict[str, Arch]]:
    """Networks that are timed together: of about the same MACs, few enough for the memory."""
    ordered = sorted(archs.items(), key=lambda item: cost(item[1]).macs)
    together: dict[str, Arch] = {}
    held = 0
    for name, arch in ordered:
        params = cost(arch).params
        if together and (len(together) == TOGETHER or held + params > TOGETHER_PARAMS):
            yield together
            together, held = {}, 0
        together[name] = arch
        held += params
    if together:
        yield together


def _measured(settings: Settings, archs: Mapping[str, Arch], progress: Progress) -> dict[str, MeasuredMs]:
    """Timings of networks; those that the runtime refuses are left out."""
    found: dict[str, MeasuredMs] = {}
    for together in sessions(archs):
        group = list(together.values())
        pilot = measure_networks(settings.target, group, rounds=1, seed=settings.seed, progress=progress)
        each_s = float(np.nansum(pilot.samples_us)) / 1e6
        rounds = int(np.clip(SESSION_S / ((UNTIMED_RUNS + 1) * max(each_s, 1e-6)), LEAST_ROUNDS, MOST_ROUNDS))
        measured = measure_networks(settings.target, group, rounds=rounds, seed=settings.seed, progress=progress)
        for name, samples_us in zip(together, measured.samples_us, strict=True):
            if np.isfinite(samples_us).all():
                found[name] = in_ms(summarise(samples_us))
    return found


def batch_rates(
    settings: Settings, archs: Mapping[str, Arch], *, rounds: int, progress: Progress
) -> dict[str, tuple[BatchRate, ...]]:
    """Images per second at larger batches; networks that the runtime refuses are left out."""
    found: dict[str, tuple[BatchRate, ...]] = {}
    for batch in settings.batches:
        target = replace(settings.target, batch=batch)
        for together in sessions(archs):
            group = list(together.values())
            measured = measure_networks(target, group, rounds=rounds, seed=settings.seed, progress=progress)
            for name, samples_us in zip(together, measured.samples_us, strict=True):
                if np.isfinite(samples_us).all():
                    ms = float(np.median(samples_us)) / 1000
                    rate = BatchRate(batch=batch, ms=ms, images_per_s=1000 * batch / ms)
                    found[name] = (*found.get(name, ()), rate)
    return found


def _row(
    name: str,
    arch: Arch,
    model: LatencyModel,
    *,
    measured: MeasuredMs | None,
    rates: Sequence[BatchRate],
    experiments: Experiments | None,
    settings: Settings,
) -> NetworkRow:
    costs, kernels = cost(arch), model.kernels(arch)
    top1, top1_px, source = settings.published.get(name, (None, None, ""))
    row = NetworkRow(
        name=name,
        size_px=arch.size_px,
        params=costs.params,
        macs=costs.macs,
        traffic_bytes=costs.traffic_bytes,
        predicted_ms=None,
        measured_ms=measured,
        batches=tuple(rates),
        top1_pct=top1,
        top1_px=top1_px,
        top1_source=source,
    )
    try:
        kernels_ms = model.keys_ms([kernel.key for kernel in kernels])
        predicted_ms = sum(kernels_ms)
        if not math.isfinite(predicted_ms):
            return replace(row, note="the runtime refuses one of its kernels")
        call_ms = experiments.call_ms if experiments else 0.0
        return replace(
            row,
            predicted_ms=predicted_ms,
            kinds=dict(by_kind(kernels, kernels_ms)),
            findings=findings(arch, kernels, model.keys_ms, call_ms=call_ms),
        )
    except LacksRowsError as error:
        return replace(row, note=str(error))
