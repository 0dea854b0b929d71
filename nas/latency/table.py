"""`LatencyTable`: rows measured on one host for one target, with calibration, proof and provenance, as a JSON file."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nas.convert import build
from nas.errors import InputError
from nas.files import read_json, write_whole
from nas.latency.fit import Overhead, Row
from nas.latency.noise import Noise
from nas.latency.proof import Proof
from nas.latency.timing import UNTIMED_RUNS
from nas.target import Host, Target

SCHEMA = 2
UNITS = "us"
USUAL_GRAIN = 8
MOST_BYTES = 64 * 2**20  # of a file: rows of a hundred spaces


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """The level of a table's sums for one space, and its proof there.

    Attributes:
        scale: Measured over summed, the median of the anchors.
        anchors: Whole networks it was fitted on, the first ones of `anchors.anchors_of(space)`.
        anchored_on: Date of that, ISO 8601.
        uncalibrated_mape_pct: Error of the bare sums on the networks of the proof.
    """

    scale: float
    anchors: int
    anchored_on: str
    uncalibrated_mape_pct: float
    proof: Proof


@dataclass(frozen=True, kw_only=True, slots=True)
class Grain:
    """The channel count whose multiples the runtime computes without waste, as measured.

    Attributes:
        cost: The most that leaving it was seen to cost: time at a width that is no multiple over that at the next one.
    """

    channels: int
    cost: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LatencyTable:
    """Kernel rows of one target on one host.

    Attributes:
        measured_on: Date, ISO 8601.
        statistic: Statistic of the end-to-end times that the rows were fitted to.
        rows: Kernel key -> row.
        refused: Kernel key -> why the runtime does not run it: an error, a crash, a hang.
        grain: None where it was not measured.
        noise: Of the machine while the table was measured.
        calibrations: Space identifier -> calibration.
        seconds: Wall time spent measuring.
        untimed_runs: Runs of a network before each timed one; a single one in tables of before this was written down.
    """

    target: Target
    host: Host
    measured_on: str
    statistic: str
    overhead: Overhead
    rows: Mapping[str, Row]
    refused: Mapping[str, str]
    grain: Grain | None
    noise: Noise
    calibrations: Mapping[str, Calibration]
    seconds: float
    untimed_runs: int = 1

    @property
    def outdated(self) -> bool:
        """Whether networks are timed otherwise now, so that its rows mix badly with new ones."""
        return self.untimed_runs != UNTIMED_RUNS

    @property
    def hash(self) -> str:
        """Short hash of the content; written into reports and exported models."""
        return _checksum(_content(self))[:12]

    @property
    def channel_grain(self) -> int:
        """Channels that the runtime computes together; `USUAL_GRAIN` where that was not measured."""
        return self.grain.channels if self.grain else USUAL_GRAIN

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Keys without a row, each once; what the runtime refuses lacks none."""
        return [key for key in dict.fromkeys(keys) if key not in self.rows and key not in self.refused]

    def with_rows(self, rows: Mapping[str, Row]) -> LatencyTable:
        """The table with more rows."""
        return replace(self, rows={**self.rows, **rows})

    def with_calibration(self, space: str, calibration: Calibration) -> LatencyTable:
        """The table with a space's calibration."""
        return replace(self, calibrations={**self.calibrations, space: calibration})


def table_path(folder: Path, target: Target, host: Host) -> Path:
    """Where the table of a target on a host lies."""
    return folder / target.name / f"{host.slug}.json"


def save_table(path: Path, table: LatencyTable) -> Path:
    """Write a table, whole, with a checksum of its content.

    Raises:
        StorageError: The file cannot be written.
    """
    return write_whole(path, _to_json(table))


def load_table(path: Path, *, target: Target, host: Host | None) -> LatencyTable:
    """Read a table and check that it may be used for a target on a host.

    Args:
        path: The file.
        target: What it must have been measured for.
        host: This machine's fingerprint; None: the table is taken for another machine's, as it is.

    Raises:
        InputError: The file is too large, truncated or edited, of another schema or in other units, or was measured on
            another host or for another target; the text holds both values and the remedy.
    """
    remedy = f"run python -m nas.measure +target={target.name}, or delete the file"
    content = _read(path, remedy)
    checksum = content.pop("checksum", None)
    try:
        table = build(LatencyTable, content)
        _check_values(table)
    except InputError as error:
        raise InputError(f"{path}: not a latency table: {error}; {remedy}") from None
    if checksum != _checksum({"schema": SCHEMA, "units": UNITS, **content}):
        raise InputError(f"{path}: was edited after it was measured, its checksum is another; {remedy}")
    _check_same(path, asdict(table.target), asdict(target), remedy)
    if host is not None:
        _check_same(
            path, asdict(table.host), asdict(host), f"{remedy}, or use it all the same with allow_mismatch=true"
        )
    return table


def _read(path: Path, remedy: str) -> dict[str, Any]:
    """What a file of this schema holds, beside the schema and the units."""
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise InputError(
            f"{path}: {path.stat().st_size / 2**20:.0f} MiB, no latency table is above {MOST_BYTES // 2**20}; {remedy}"
        )
    data = read_json(path)
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise InputError(f"{path}: table schema {found!r}, this version reads {SCHEMA}; {remedy}")
    if data.get("units") != UNITS:
        raise InputError(f"{path}: rows are in {data.get('units')!r}, this version reads {UNITS!r}; {remedy}")
    return {name: value for name, value in data.items() if name not in ("schema", "units")}


def _check_same(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any], remedy: str) -> None:
    for name, value in wanted.items():
        if found[name] != value:
            raise InputError(f"{path}: measured with {name} = {found[name]!r}, here it is {value!r}; {remedy}")


def _check_values(table: LatencyTable) -> None:
    """Refuse numbers that nothing measured could be, and dates that are none."""
    for key, row in table.rows.items():
        if row.us < 0:  # 0 where the runtime runs nothing for a layer
            raise InputError(f"row '{key}' is {row.us!r} us, must not be negative")
        if row.networks < 1:
            raise InputError(f"row '{key}' was seen in {row.networks} networks, must be at least 1")
    if table.channel_grain < 1:
        raise InputError(f"the grain is {table.channel_grain} channels, must be at least 1")
    dates = {"measured_on": table.measured_on}
    for space, calibration in table.calibrations.items():
        if calibration.scale <= 0:
            raise InputError(f"calibration of '{space}' is {calibration.scale!r}, must be positive")
        dates[f"calibrations.{space}.anchored_on"] = calibration.anchored_on
    for name, date in dates.items():
        try:
            dt.date.fromisoformat(date)
        except ValueError:
            raise InputError(f"{name} = '{date}': expected a date such as 2026-11-22") from None


def _content(table: LatencyTable) -> dict[str, Any]:
    """What a table's file holds but for the checksum."""
    data = asdict(replace(table, rows={}, calibrations={}))
    data["calibrations"] = {space: asdict(calibration) for space, calibration in table.calibrations.items()}
    data["rows"] = {key: asdict(row) for key, row in sorted(table.rows.items())}
    return {"schema": SCHEMA, "units": UNITS, **data}


def _checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content, however it is laid out."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _to_json(table: LatencyTable) -> str:
    content = _content(table)
    head = {name: value for name, value in content.items() if name != "rows"} | {"checksum": _checksum(content)}
    rows = ",\n".join(f"    {json.dumps(key)}: {json.dumps(row)}" for key, row in content["rows"].items())
    return f'{json.dumps(head, indent=2)[:-2]},\n  "rows": {{\n{rows}\n  }}\n}}\n'
