"""Findings on disk: read back as they were added, whatever a kill or a careless hand did to the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.errors import StorageError
from nas.latency.records import End, Failure, Profile, Records, Round
from nas.latency.runtimes import LayerProfile
from tests.latency.moody import STATS

LAYER = LayerProfile(profiled_us=2.5, nodes=3, stats=STATS)
FINDINGS = (
    Profile(place=1, layers={"stem": LAYER}),
    Failure(place=0, reason="refuses «it»"),
    Round(us=(None, 12.25)),
    Round(us=(None, 13.5)),
    End(steal_pct=0.5),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    records = Records(tmp_path / "records")
    for finding in FINDINGS:
        records.add(finding)
    return tmp_path / "records"


def content(records: Records) -> tuple[object, ...]:
    return records.profiles, records.failed, records.rounds, records.end


def test_findings_are_read_back(path: Path) -> None:
    records = Records(path)
    assert records.profiles == {1: {"stem": LAYER}}
    assert records.failed == {0: "refuses «it»"}
    assert records.rounds == [(None, 12.25), (None, 13.5)]
    assert records.end == FINDINGS[-1]


def test_a_file_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert content(Records(tmp_path / "none")) == ({}, {}, [], None)
    assert not (tmp_path / "none").exists()


@given(data=st.data())
def test_a_torn_or_damaged_line_and_what_follows_is_cut(tmp_path_factory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("torn") / "records"
    records = Records(path)
    for finding in FINDINGS:
        records.add(finding)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(data.draw(st.sampled_from([whole[:at], whole[:at] + b"\xff" + whole[at + 1 :]])))
    kept = whole[:at].count(b"\n")
    records = Records(path)
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:kept])
    for finding in FINDINGS[kept:]:
        records.add(finding)
    assert path.read_bytes() == whole
    assert content(Records(path)) == content(records)


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot write .*records: "):
        Records(tmp_path / "nowhere" / "records").add(FINDINGS[0])
    (tmp_path / "records").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*records: "):
        Records(tmp_path / "records")
