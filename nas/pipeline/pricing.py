"""The latency table of a run: found, measured or completed, and the price of any network from it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nas.arch import Arch
from nas.convert import build
from nas.errors import DeviceError, InputError
from nas.files import exclusive, read_json, write_json
from nas.latency.drift import Anchored, OffLevelError, re_anchor
from nas.latency.measure import MeasurePlan, extend, measure_space, model_of, space_key
from nas.latency.model import LacksRowsError, LatencyModel, Share
from nas.latency.noise import require_usable
from nas.latency.runtimes import make_runtime
from nas.latency.table import LatencyTable, load_table, save_table, table_path
from nas.pipeline.caveats import caveats
from nas.progress import Progress, silent
from nas.settings import Settings, shipped_tables
from nas.space import SearchSpace, uniform
from nas.target import Host

ATTEMPTS = 2  # a table whose proof is poor is measured once more at once,
NOISY_ATTEMPTS = 3  # and one of a machine that is too noisy twice
CHECK = "anchors.json"  # beside a run's copy: what the machine's speed was when it was made
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

    @property
    def grain(self) -> int:
        """Channels that widths should be multiples of: what the target says, or else what the table found."""
        return self.table.target.grain or self.table.channel_grain

    def __call__(self, arch: Arch) -> float:
        """Predicted milliseconds of a network.

        Raises:
            InputError: The table lacks rows and is another machine's.
            DeviceError: Measuring them failed.
        """
        try:
            return self._model.arch_ms(arch)
        except LacksRowsError:
            self.prepare([arch])
        return self._model.arch_ms(arch)

    def breakdown(self, arch: Arch) -> tuple[Share, ...]:
        """Predicted milliseconds of a network, kernel by kernel."""
        try:
            return self._model.breakdown(arch)
        except LacksRowsError:
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
        own: The run's own copy of the table, made at this machine's speed of today; a run that has one keeps to it.
            None: work on the shared table.
        progress: Told as measuring advances.

    Raises:
        InputError: A table is damaged or was measured elsewhere.
        DeviceError: Measuring failed, the machine is too noisy, or it is too far off the table that `table` names; a
            table of its own is measured anew.
    """
    here = make_runtime(settings.target).host(settings.target)
    shared = settings.table or table_path(settings.tables_dir, settings.target, here)
    if own is not None and own.exists():
        table = load_table(own, target=settings.target, host=_wanted(settings, here))
        anchored = _recalled(own, table)
    else:
        table, anchored = _shared_table(settings, space, shared, here, check=own is not None, progress=progress)
        if own is not None:
            table = _keep(own, table, anchored)
    return Pricer(
        space=space,
        table=table,
        path=own or shared,
        plan=settings.latency,
        local=table.host == here and (own is not None or settings.table is None),
        notes=caveats(table, space, settings, here=here, path=shared, anchored=anchored),
    )


def _wanted(settings: Settings, here: Host) -> Host | None:
    return None if settings.allow_mismatch else here


def _shared_table(
    settings: Settings, space: SearchSpace, path: Path, here: Host, *, check: bool, progress: Progress
) -> tuple[LatencyTable, Anchored | None]:
    """The table that many runs share, and its check against the machine's speed unless it was measured just now."""
    if settings.table is not None:
        table = load_table(settings.table, target=settings.target, host=_wanted(settings, here))
        return table, _anchored(settings, space, table, here, progress) if check else None
    with exclusive(path.parent / ".lock"):
        table, fresh = _local_table(settings, space, path, here, progress)
        try:
            return table, _anchored(settings, space, table, here, progress) if check and not fresh else None
        except OffLevelError:  # another machine with this one's fingerprint, or this one in another state
            return _measured_table(settings, space, path, None, progress), None


def _anchored(
    settings: Settings, space: SearchSpace, table: LatencyTable, here: Host, progress: Progress
) -> Anchored | None:
    """A table's check against the machine's speed; None where there is nothing to check, or nobody asks for it."""
    if settings.allow_mismatch or table.host != here or space_key(space) not in table.calibrations:
        return None
    return re_anchor(table, space, rounds=settings.latency.rounds, seed=settings.seed, progress=progress)


def _keep(own: Path, table: LatencyTable, anchored: Anchored | None) -> LatencyTable:
    """Make the run's copy; the table last, which says that the copy is whole."""
    if anchored is not None:
        write_json(own.with_name(CHECK), {"drift": anchored.drift, "noise": asdict(anchored.noise)})
        table = anchored.table
    save_table(own, table)
    return table


def _recalled(own: Path, table: LatencyTable) -> Anchored | None:
    """How the level of a run's copy was checked when it was made."""
    path = own.with_name(CHECK)
    return build(Anchored, read_json(path), str(path), given={"table": table}) if path.exists() else None


def _local_table(
    settings: Settings, space: SearchSpace, path: Path, host: Host, progress: Progress
) -> tuple[LatencyTable, bool]:
    """This machine's table with everything the space needs, and whether it was measured now."""
    known = None
    for place in (path, table_path(shipped_tables(), settings.target, host)):
        if known is None and place.exists():
            table = load_table(place, target=settings.target, host=host)
            known = None if table.outdated else table
    calibration = known.calibrations.get(space_key(space)) if known else None
    if known is not None and calibration is not None:
        if calibration.proof.good and _covers(known, space):
            return known, False
        known = known if calibration.proof.good else None  # rows of a busy machine are measured from the start
    return _measured_table(settings, space, path, known, progress), True


def _measured_table(
    settings: Settings, space: SearchSpace, path: Path, known: LatencyTable | None, progress: Progress
) -> LatencyTable:
    """A space's table measured now and saved."""
    return measured_table(path, lambda folder: _measured(settings, space, known, folder, progress))


def measured_table(path: Path, measure: Callable[[Path], LatencyTable]) -> LatencyTable:
    """A table measured now and saved.

    Args:
        path: The table's file.
        measure: Makes the table, given a folder to keep findings in: a killed session goes on from there.

    Raises:
        DeviceError: Measuring failed, or the machine is too noisy; nothing is kept.
    """
    folder = path.with_suffix(".measuring")
    try:
        table = measure(folder)
    except DeviceError:
        shutil.rmtree(folder, ignore_errors=True)  # a failed one does not
        raise
    save_table(path, table)
    shutil.rmtree(folder, ignore_errors=True)
    return table


def _measured(
    settings: Settings, space: SearchSpace, known: LatencyTable | None, folder: Path, progress: Progress
) -> LatencyTable:
    """A table measured now, again where its proof is poor or the machine is too noisy.

    Raises:
        DeviceError: Measuring failed, or the machine is too noisy.
    """
    for attempt in range(NOISY_ATTEMPTS):
        table = measure_space(
            space,
            settings.target,
            settings.latency,
            known=known,
            seed=settings.seed + attempt,
            folder=folder / str(attempt),
            progress=progress,
        )
        proved = table.calibrations[space_key(space)].proof.good or attempt + 1 >= ATTEMPTS
        if proved and table.noise.verdict != "unusable":
            break
    require_usable(table.noise, f"measuring {space.name} on {settings.target.name}")
    return table


def _covers(table: LatencyTable, space: SearchSpace) -> bool:
    rng = random.Random(0)
    return not model_of(table, space).missing([space.build(uniform(rng)) for _ in range(SAMPLED)])


def require_rows(pricer: Pricer, archs: Sequence[Arch]) -> None:
    """Refuse a table that cannot price what is asked of it, before anything long starts.

    Raises:
        InputError: Rows are missing and cannot be measured here.
    """
    missing = [] if pricer.local else pricer.model.missing(archs)
    if missing:
        raise InputError(
            f"{pricer.path} lacks {len(missing)} rows that the space {pricer.space.name} needs, '{missing[0]}' among "
            f"them; run python -m nas.measure +target={pricer.table.target.name} on the machine it belongs to, with "
            f"this command's space, network and design"
        )
