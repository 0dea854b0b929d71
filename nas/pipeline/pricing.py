"""The latency table of a run: found, measured or completed, and the price of any network from it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nas.arch import Arch
from nas.errors import InputError
from nas.files import exclusive
from nas.latency.measure import MeasurePlan, extend, measure_space, model_of, space_key
from nas.latency.model import LatencyModel, Share
from nas.latency.runtimes import make_runtime
from nas.latency.table import LatencyTable, load_table, save_table, table_path
from nas.progress import Progress, silent
from nas.settings import Settings, shipped_tables
from nas.space import SearchSpace, uniform
from nas.target import Host, Target

ATTEMPTS = 2  # a table whose proof is poor is measured once more at once
SAMPLED = 200  # random networks whose kernels a table must have to be taken as measured for a space


@dataclass(kw_only=True, slots=True)
class Pricer:
    """Prices networks, measuring on demand the rows a local table lacks.

    Attributes:
        path: The table's file; every row measured is saved there at once.
        local: Whether the table is this machine's, so that rows can be measured.
        notes: What a reader of the prices should know.
    """

    space: SearchSpace
    table: LatencyTable
    path: Path
    plan: MeasurePlan
    local: bool
    notes: tuple[str, ...]
    _model: LatencyModel = field(init=False)

    def __post_init__(self) -> None:
        self._model = model_of(self.table, self.space)

    @property
    def model(self) -> LatencyModel:
        """The model as it stands."""
        return self._model

    def __call__(self, arch: Arch) -> float:
        """Predicted milliseconds of a network.

        Raises:
            InputError: The table lacks rows and is another machine's.
            DeviceError: Measuring them failed.
        """
        self.prepare([arch])
        return self._model.arch_ms(arch)

    def breakdown(self, arch: Arch) -> tuple[Share, ...]:
        """Predicted milliseconds of a network, kernel by kernel."""
        self.prepare([arch])
        return self._model.breakdown(arch)

    def prepare(self, archs: Sequence[Arch]) -> None:
        """Measure the rows that networks need and the table lacks; nothing where it is another machine's."""
        if not (self.local and self._model.missing(archs)):
            return
        self.table = extend(self.table, archs, self.plan, seed=0, progress=silent)
        self._model = model_of(self.table, self.space)
        save_table(self.path, self.table)


def open_pricer(settings: Settings, space: SearchSpace, *, own: Path | None, progress: Progress) -> Pricer:
    """The prices of a run.

    Args:
        settings: Which target, and where tables are kept.
        space: What must be priced.
        own: The run's own copy of the table; a run that has one keeps to it. None: work on the shared table.
        progress: Told as measuring advances.

    Raises:
        InputError: A table is damaged or was measured elsewhere.
        DeviceError: Measuring failed.
    """
    here = make_runtime(settings.target).host(settings.target)
    shared = settings.table or table_path(settings.tables_dir, settings.target, here)
    wanted = None if settings.allow_mismatch else here
    if own is not None and own.exists():
        table = load_table(own, target=settings.target, host=wanted)
    elif settings.table is not None:
        table = load_table(settings.table, target=settings.target, host=wanted)
    else:
        with exclusive(shared.parent / ".lock"):
            table = _local_table(settings, space, shared, here, progress)
    if own is not None and not own.exists():
        save_table(own, table)
    return Pricer(
        space=space,
        table=table,
        path=own or shared,
        plan=settings.latency,
        local=table.host == here and (own is not None or settings.table is None),
        notes=_notes(table, space, settings.target, here, shared),
    )


def _local_table(settings: Settings, space: SearchSpace, path: Path, host: Host, progress: Progress) -> LatencyTable:
    """This machine's table with everything the space needs; measured now where that is missing or was poor."""
    known = None
    for place in (path, table_path(shipped_tables(), settings.target, host)):
        if known is None and place.exists():
            known = load_table(place, target=settings.target, host=host)
    calibration = known.calibrations.get(space_key(space)) if known else None
    if known is not None and calibration is not None:
        if calibration.proof.good and _covers(known, space):
            return known
        known = known if calibration.proof.good else None  # rows of a busy machine are measured from the start
    for attempt in range(ATTEMPTS):
        table = measure_space(
            space, settings.target, settings.latency, known=known, seed=settings.seed + attempt, progress=progress
        )
        if table.calibrations[space_key(space)].proof.good:
            break
    save_table(path, table)
    return table


def _covers(table: LatencyTable, space: SearchSpace) -> bool:
    rng = random.Random(0)
    return not model_of(table, space).missing([space.build(uniform(rng)) for _ in range(SAMPLED)])


def _notes(table: LatencyTable, space: SearchSpace, target: Target, host: Host, path: Path) -> tuple[str, ...]:
    notes = []
    if table.host != host:
        notes.append(
            f"prices of another machine: {table.host.cpu}, {table.host.runtime} {table.host.runtime_version} ({path})"
        )
    if not host.matches(target):
        notes.append(
            f"target {target.name} promises a {target.vendor} CPU, this machine is {host.vendor} ({host.cpu}): "
            f"measured here all the same, filed under this host in {path}"
        )
    calibration = table.calibrations.get(space_key(space))
    if calibration is None:
        notes.append(f"the table was never calibrated for the space {space.name}; its level may be off")
    elif not calibration.proof.good:
        notes.append(
            f"the latency table is poor: {calibration.proof.mape_pct:.1f} % mean error on "
            f"{calibration.proof.networks} held-out networks; measure again on a quiet machine"
        )
    return tuple(notes)


def require_rows(pricer: Pricer, archs: Sequence[Arch]) -> None:
    """Refuse a table that cannot price what is asked of it, before anything long starts.

    Raises:
        InputError: Rows are missing and cannot be measured here.
    """
    missing = [] if pricer.local else pricer.model.missing(archs)
    if missing:
        raise InputError(
            f"{pricer.path} lacks {len(missing)} rows that the space {pricer.space.name} needs, '{missing[0]}' among "
            f"them; run python -m nas.measure +target={pricer.table.target.name} on the machine it belongs to"
        )
