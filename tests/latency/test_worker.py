"""The worker's own parts; as a process it is tested with the session."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

from nas.arch import CLASSES, to_json
from nas.errors import InputError
from nas.latency import worker
from nas.latency.records import Records
from nas.target import Target
from tests.latency.moody import Moody
from tests.net.zoo import every_kind

ARCHS = tuple(every_kind().with_widths({CLASSES: n}) for n in range(100, 105))


@pytest.fixture
def folder(tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A request of five networks, two of them profiled, answered by a runtime that only keeps a diary."""
    monkeypatch.setattr(worker, "_pin", lambda _threads: None)
    monkeypatch.setattr(worker, "make_runtime", lambda _target: Moody(tmp_path))
    ask(tmp_path, target)
    return tmp_path


def ask(folder: Path, target: Target) -> None:
    request = worker.Request(
        target=target, archs=tuple(map(to_json, ARCHS)), models=(), rounds=4, profiled=2, profile_runs=3, seed=3
    )
    (folder / worker.REQUEST).write_text(json.dumps(dataclasses.asdict(request)))
    worker.Mark.fresh(folder)


def test_the_worker_answers_its_request(folder: Path, capsys) -> None:
    worker.Session(folder).answer()
    records = Records(folder / worker.RECORDS)
    assert sorted(records.profiles) == [0, 1]
    assert np.array(records.rounds).shape == (4, 5)
    assert (np.array(records.rounds) > 0).all()
    assert records.end is not None
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == ["time", 4, 4]


def test_the_worker_goes_on_where_the_records_end(folder: Path, capsys) -> None:
    worker.Session(folder).answer()
    lines = (folder / worker.RECORDS).read_bytes().splitlines(keepends=True)
    (folder / worker.RECORDS).write_bytes(b"".join(lines[:3]) + lines[3][:20])  # two profiles, a round, a torn one
    worker.Session(folder).answer()
    again = (folder / worker.RECORDS).read_bytes().splitlines(keepends=True)
    assert again[:3] == lines[:3]
    assert len(again) == len(lines)


def test_every_network_runs_once_a_round_in_shuffled_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    order: list[int] = []
    monkeypatch.setattr(Moody, "_run", lambda _self, classes: order.append(classes - 100))
    worker.Session(folder).answer()
    turns = np.array(order).reshape(4, 5, worker.UNTIMED_RUNS + 1)
    assert (turns == turns[:, :, :1]).all()  # each untimed, then timed
    assert all(sorted(turn) == [0, 1, 2, 3, 4] for turn in turns[:, :, 0].tolist())
    assert len({tuple(turn) for turn in turns[:, :, 0].tolist()}) > 1


def test_the_mark_says_what_is_at_work(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    mark, seen = worker.Mark(folder), []
    assert (mark.place, mark.steps) == (worker.NOWHERE, 0)
    monkeypatch.setattr(Moody, "_run", lambda _self, classes: seen.append((classes - 100, mark.place)))
    worker.Session(folder).answer()
    assert all(place == marked for place, marked in seen)
    assert mark.steps == 2 + 5 + 4 * 5


def test_an_unknown_runtime_is_refused(tmp_path: Path, target: Target) -> None:
    ask(tmp_path, dataclasses.replace(target, runtime="none"))
    with pytest.raises(InputError, match="unknown runtime 'none'"):
        worker.Session(tmp_path)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot pin")
def test_the_worker_pins_itself_to_the_last_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1, 2, 5})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _process, cores: pinned.append(cores))
    worker._pin(1)
    worker._pin(2)
    worker._pin(9)
    assert pinned == [[5], [2, 5], [0, 1, 2, 5]]
