"""Tables as files: what is written comes back, and nothing that is not such a file is taken for one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.errors import InputError, StorageError
from nas.latency import table as tables
from nas.latency.table import LatencyTable, load_table, save_table, table_path
from nas.target import Host, Target
from tests.latency.conftest import row

KEY = "conv 12>8 8px k1 hsigmoid"
SPACE = "tiny-00000000"
Data = dict[str, Any]


@pytest.fixture
def path(tmp_path: Path, table: LatencyTable) -> Path:
    return save_table(table_path(tmp_path, table.target, table.host), table)


def edit(path: Path, change: Callable[[Data], object]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_round_trip(path: Path, table: LatencyTable, target: Target, host: Host) -> None:
    loaded = load_table(path, target=target, host=host)
    assert loaded == table
    assert loaded.hash == table.hash
    assert save_table(path.with_name("again"), loaded).read_text() == path.read_text()


def test_the_file_says_what_it_holds(path: Path, host: Host) -> None:
    data = json.loads(path.read_text())
    assert (data["schema"], data["units"]) == (2, "us")
    assert data["host"] == dataclasses.asdict(host)
    assert data["calibrations"][SPACE]["proof"]["mape_pct"] == 1.0
    assert list(data["rows"]) == sorted(data["rows"])
    assert len(path.read_text().splitlines()) < 2 * len(data["rows"]) + 80  # a row a line


def test_the_path_names_target_and_host(tmp_path: Path, target: Target, host: Host) -> None:
    path = table_path(tmp_path, target, host)
    assert path.parent == tmp_path / "intel_cpu"
    assert path.name.startswith("example-cpu-onnxruntime-1-0-")
    assert table_path(tmp_path, target, dataclasses.replace(host, threads=2)) != path


def test_the_hash_follows_the_content(table: LatencyTable) -> None:
    extended = table.with_rows({"new": row(1.0)})
    assert extended.hash != table.hash
    assert extended.missing(["new", "old", "old", KEY]) == ["old"]
    assert "new" not in table.rows
    recalibrated = table.with_calibration(SPACE, dataclasses.replace(table.calibrations[SPACE], scale=2.0))
    assert recalibrated.calibrations[SPACE].scale == 2.0
    assert recalibrated.rows == table.rows


def test_a_row_of_no_time_is_a_row(tmp_path: Path, table: LatencyTable, target: Target, host: Host) -> None:
    free = table.with_rows({"slice": row(0.0, nodes=0)})
    assert load_table(save_table(tmp_path / "x", free), target=target, host=host) == free


def test_another_machines_table_may_be_read_as_such(path: Path, target: Target) -> None:
    assert load_table(path, target=target, host=None).host.cpu == "Example CPU"


@pytest.mark.parametrize(
    ("changes", "values"),
    [
        ({"cpu": "Other CPU"}, "cpu = 'Example CPU', here it is 'Other CPU'"),
        ({"threads": 4}, "threads = 1, here it is 4"),
        ({"runtime_version": "2.0"}, "runtime_version = '1.0', here it is '2.0'"),
        ({"isa": "avx512f"}, "isa = 'avx2', here it is 'avx512f'"),
    ],
)
def test_another_host_is_refused(path: Path, target: Target, host: Host, changes: Data, values: str) -> None:
    with pytest.raises(InputError, match=values) as caught:
        load_table(path, target=target, host=dataclasses.replace(host, **changes))
    assert str(path) in str(caught.value)
    assert "run python -m nas.measure +target=intel_cpu" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "values"),
    [
        ({"name": "raspberry_pi"}, "name = 'intel_cpu', here it is 'raspberry_pi'"),
        ({"threads": 2}, "threads = 1, here it is 2"),
        ({"batch": 8}, "batch = 1, here it is 8"),
        ({"precision": "int8"}, "precision = 'fp32', here it is 'int8'"),
        ({"runtime": "tflite"}, "runtime = 'onnxruntime', here it is 'tflite'"),
    ],
)
def test_another_target_is_refused(path: Path, target: Target, changes: Data, values: str) -> None:
    with pytest.raises(InputError, match=values):
        load_table(path, target=dataclasses.replace(target, **changes), host=None)


EDITED = "was edited after it was measured"
BROKEN: dict[str, tuple[Callable[[Data], object], str]] = {
    "older schema": (lambda data: data.update(schema=1), "table schema 1, this version reads 2"),
    "newer schema": (lambda data: data.update(schema=3), "table schema 3, this version reads 2"),
    "no schema": (lambda data: data.pop("schema"), "table schema None"),
    "other units": (lambda data: data.update(units="ms"), "rows are in 'ms', this version reads 'us'"),
    "no units": (lambda data: data.pop("units"), "rows are in None"),
    "no rows": (lambda data: data.pop("rows"), "rows is not set"),
    "no target": (lambda data: data.pop("target"), "target is not set"),
    "no host": (lambda data: data.pop("host"), "host is not set"),
    "rows in a list": (lambda data: data.update(rows=[]), r"rows = \[\]"),
    "row in a list": (lambda data: data["rows"].update({KEY: [1.0]}), KEY),
    "row lacks its time": (lambda data: data["rows"][KEY].pop("us"), f"{KEY}.us is not set"),
    "row with an unknown key": (lambda data: data["rows"][KEY].update(ms=1), f"unknown key 'rows.{KEY}.ms'"),
    "time in words": (lambda data: data["rows"][KEY].update(us="3.0"), f"{KEY}.us = '3.0': expected a number"),
    "time is null": (lambda data: data["rows"][KEY].update(us=None), f"{KEY}.us = None"),
    "time is true": (lambda data: data["rows"][KEY].update(us=True), f"{KEY}.us = True"),
    "time too large": (lambda data: data["rows"][KEY].update(us=10**400), f"{KEY}.us = 10+: expected a finite number"),
    "negative time": (lambda data: data["rows"][KEY].update(us=-0.1), f"row '{KEY}' is -0.1 us"),
    "seen nowhere": (lambda data: data["rows"][KEY].update(networks=0), f"row '{KEY}' was seen in 0 networks"),
    "no spread": (lambda data: data["rows"][KEY].pop("stats"), f"{KEY}.stats is not set"),
    "another time": (lambda data: data["rows"][KEY].update(us=7.0), EDITED),
    "a row less": (lambda data: data["rows"].pop(KEY), EDITED),
    "another level": (lambda data: data["calibrations"][SPACE].update(scale=0.5), EDITED),
    "a better proof": (lambda data: data["calibrations"][SPACE]["proof"].update(mape_pct=0.1), EDITED),
    "no refusals": (lambda data: data.update(refused={}), EDITED),
    "no checksum": (lambda data: data.pop("checksum"), EDITED),
    "another checksum": (lambda data: data.update(checksum="0" * 64), EDITED),
    "another host": (lambda data: data["host"].update(cpus=64), EDITED),
    "no date": (lambda data: data.update(measured_on="yesterday"), "measured_on = 'yesterday': expected a date"),
    "no such day": (lambda data: data["calibrations"][SPACE].update(anchored_on="2026-02-30"), "anchored_on = '2026-"),
    "no grain": (lambda data: data.pop("grain"), "grain is not set"),
    "grain of zero": (lambda data: data["grain"].update(channels=0), "grain is 0 channels, must be at least 1"),
    "a verdict of its own": (lambda data: data["noise"].update(verdict="fine"), "noise.verdict = 'fine'"),
    "refused without a reason": (lambda data: data.update(refused={"x": None}), "refused.x"),
    "half a node": (lambda data: data["rows"][KEY].update(nodes=1.5), f"{KEY}.nodes = 1.5: expected a whole number"),
    "scale of zero": (lambda data: data["calibrations"][SPACE].update(scale=0), "must be positive"),
    "scale in words": (lambda data: data["calibrations"][SPACE].update(scale="1"), "scale = '1': expected a number"),
    "no proof": (lambda data: data["calibrations"][SPACE].pop("proof"), "proof is not set"),
    "proof in words": (lambda data: data["calibrations"][SPACE].update(proof="good"), "proof = 'good'"),
    "error in words": (lambda data: data["calibrations"][SPACE]["proof"].update(mape_pct="1"), "mape_pct = '1'"),
    "pairs in words": (lambda data: data["calibrations"][SPACE]["proof"].update(measured_ms="1"), "measured_ms = '1'"),
    "overhead in words": (lambda data: data["overhead"].update(scale="much"), "overhead.scale = 'much'"),
    "seconds in words": (lambda data: data.update(seconds="ten"), "seconds = 'ten'"),
    "threads in words": (lambda data: data["host"].update(threads="one"), "host.threads = 'one'"),
}


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_an_edited_file_is_refused_in_one_line(
    path: Path, target: Target, host: Host, change: Callable[[Data], object], message: str
) -> None:
    edit(path, change)
    with pytest.raises(InputError, match=message) as caught:
        load_table(path, target=target, host=host)
    assert str(path) in str(caught.value)
    assert "run python -m nas.measure +target=intel_cpu, or delete the file" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.9, 0.999])
def test_a_truncated_file_is_refused(path: Path, target: Target, host: Host, share: float) -> None:
    text = path.read_text()
    path.write_text(text[: int(share * len(text.rstrip()))])
    with pytest.raises(InputError, match=r"not valid JSON .*was it truncated"):
        load_table(path, target=target, host=host)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("NaN", "holds NaN, which is not a number"),
        ("Infinity", "holds Infinity"),
        ("1e999", "expected a finite number"),
    ],
)
def test_what_is_not_a_number_is_refused(path: Path, target: Target, host: Host, value: str, message: str) -> None:
    row = path.read_text().replace('"us": 6.0', f'"us": {value}', 1)
    assert row != path.read_text()
    path.write_text(row)
    with pytest.raises(InputError, match=message):
        load_table(path, target=target, host=host)


def test_a_row_given_twice_is_refused(path: Path, target: Target, host: Host) -> None:
    lines = path.read_text().splitlines()
    place = next(i for i, line in enumerate(lines) if KEY in line)
    path.write_text("\n".join([*lines[: place + 1], lines[place].replace('"us": ', '"us": 9'), *lines[place + 1 :]]))
    with pytest.raises(InputError, match=f"holds the key '{KEY}' twice"):
        load_table(path, target=target, host=host)


def test_a_file_laid_out_anew_is_the_same_table(path: Path, table: LatencyTable, target: Target, host: Host) -> None:
    data = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(data.items())), indent=1, ensure_ascii=False))
    assert load_table(path, target=target, host=host) == table


def test_a_file_beyond_all_measure_is_refused_unread(
    path: Path, target: Target, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    with path.open("ab") as file:
        file.truncate(tables.MOST_BYTES + 2**20)  # sparse
    monkeypatch.setattr(tables, "read_json", lambda _path: pytest.fail("was read"))
    with pytest.raises(InputError, match="65 MiB, no latency table is above 64; run python"):
        load_table(path, target=target, host=host)


def test_a_table_without_a_grain_or_refusals_round_trips(
    tmp_path: Path, table: LatencyTable, target: Target, host: Host
) -> None:
    bare = dataclasses.replace(table, grain=None, refused={}, calibrations={})
    assert (table.channel_grain, bare.channel_grain) == (16, tables.USUAL_GRAIN)
    assert load_table(save_table(tmp_path / "x", bare), target=target, host=host) == bare


def test_what_is_refused_is_not_missing(table: LatencyTable) -> None:
    assert table.missing([*table.refused, "old"]) == ["old"]


@pytest.mark.parametrize("text", ["[]", "3", "null", '"table"'])
def test_other_json_is_refused(path: Path, target: Target, host: Host, text: str) -> None:
    path.write_text(text)
    with pytest.raises(InputError, match=r"table schema '(list|int|NoneType|str)'"):
        load_table(path, target=target, host=host)


def test_no_file_is_an_input_error(tmp_path: Path, target: Target, host: Host) -> None:
    with pytest.raises(InputError, match="cannot read"):
        load_table(tmp_path / "none.json", target=target, host=host)


def test_a_table_that_cannot_be_written_is_a_storage_error(tmp_path: Path, table: LatencyTable) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        save_table(tmp_path / "file" / "table.json", table)


def test_nan_is_never_written(tmp_path: Path, table: LatencyTable) -> None:
    broken = table.with_rows({"x": row(float("nan"))})
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_table(tmp_path / "x", broken)
    assert not list(tmp_path.iterdir())
