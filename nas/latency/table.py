"""`LatencyTable`: rows measured on one host for one target, with calibration, proof and provenance, as a JSON file."""

from __future__ import annotations

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
from nas.latency.proof import Proof
from nas.target import Host, Target

SCHEMA = 1
UNITS = "us"


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """The level of a table's sums for one space, and its proof there.

    Attributes:
        scale: Measured over summed, the median of the anchors.
        anchors: Whole networks it was fitted on.
    """

    scale: float
    anchors: int
    proof: Proof


@dataclass(frozen=True, kw_only=True, slots=True)
class LatencyTable:
    """Kernel rows of one target on one host.

    Attributes:
        measured_on: Date, ISO 8601.
        statistic: Statistic of the end-to-end times that the rows were fitted to.
        rows: Kernel key -> row.
        calibrations: Space identifier -> calibration.
        seconds: Wall time spent measuring.
    """

    target: Target
    host: Host
    measured_on: str
    statistic: str
    overhead: Overhead
    rows: Mapping[str, Row]
    calibrations: Mapping[str, Calibration]
    seconds: float

    @property
    def hash(self) -> str:
        """Short hash of the content; written into reports and exported models."""
        return hashlib.sha256(_to_json(self).encode()).hexdigest()[:12]

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Keys without a row, each once."""
        return [key for key in dict.fromkeys(keys) if key not in self.rows]

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
    """Write a table, whole."""
    return write_whole(path, _to_json(table))


def load_table(path: Path, *, target: Target, host: Host | None) -> LatencyTable:
    """Read a table and check that it may be used for a target on a host.

    Args:
        path: The file.
        target: What it must have been measured for.
        host: This machine's fingerprint; None: the table is taken for another machine's, as it is.

    Raises:
        InputError: The file is truncated or edited, of another schema or in other units, or was measured on another
            host or for another target; the text holds both values and the remedy.
    """
    data = read_json(path)
    remedy = f"run python -m nas.measure +target={target.name}, or delete the file"
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise InputError(f"{path}: table schema {found!r}, this version reads {SCHEMA}; {remedy}")
    if data.get("units") != UNITS:
        raise InputError(f"{path}: rows are in {data.get('units')!r}, this version reads {UNITS!r}; {remedy}")
    content = {name: value for name, value in data.items() if name not in ("schema", "units")}
    try:
        table = build(LatencyTable, content)
    except InputError as error:
        raise InputError(f"{path}: not a latency table: {error}; {remedy}") from None
    _check_values(path, table, remedy)
    _check_same(path, asdict(table.target), asdict(target), remedy)
    if host is not None:
        _check_same(
            path, asdict(table.host), asdict(host), f"{remedy}, or use it all the same with allow_mismatch=true"
        )
    return table


def _check_same(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any], remedy: str) -> None:
    for name, value in wanted.items():
        if found[name] != value:
            raise InputError(f"{path}: measured with {name} = {found[name]!r}, here it is {value!r}; {remedy}")


def _check_values(path: Path, table: LatencyTable, remedy: str) -> None:
    for key, row in table.rows.items():
        if row.us < 0:  # 0 where the runtime runs nothing for a layer
            raise InputError(f"{path}: row '{key}' is {row.us!r} us, must not be negative; {remedy}")
    for space, calibration in table.calibrations.items():
        if calibration.scale <= 0:
            raise InputError(f"{path}: calibration of '{space}' is {calibration.scale!r}, must be positive; {remedy}")


def _to_json(table: LatencyTable) -> str:
    data = {"schema": SCHEMA, "units": UNITS, **asdict(replace(table, rows={}, calibrations={}))}
    data["calibrations"] = {space: asdict(calibration) for space, calibration in table.calibrations.items()}
    head = json.dumps({name: value for name, value in data.items() if name != "rows"}, indent=2, allow_nan=False)
    rows = ",\n".join(
        f"    {json.dumps(key)}: {json.dumps(asdict(row), allow_nan=False)}" for key, row in sorted(table.rows.items())
    )
    return f'{head[:-2]},\n  "rows": {{\n{rows}\n  }}\n}}\n'
