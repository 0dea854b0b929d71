"""Scores on disk: whole, checked, shared by processes, never of another evaluator."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from nas.accuracy import Kept
from nas.errors import InputError, StorageError, TooManyFailuresError
from nas.space import largest, smallest
from tests.net.zoo import SPACE

SMALL, LARGE = SPACE.build(smallest), SPACE.build(largest)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "scores.json"


def test_what_was_kept_is_found_by_a_later_process(path: Path) -> None:
    kept = Kept(path, "supernet 1")
    assert kept.find(SMALL) is None
    kept.add(SMALL, (0.5,))
    kept.add(LARGE, (0.25, 0.75))
    later = Kept(path, "supernet 1")
    assert (later.find(SMALL), later.find(LARGE)) == ((0.5,), (0.25, 0.75))
    assert later.all() == ((0.5,), (0.25, 0.75))


def test_processes_keep_what_the_others_scored(path: Path) -> None:
    one, other = Kept(path, "x"), Kept(path, "x")
    one.add(SMALL, (0.5,))
    other.add(LARGE, (0.75,))
    assert one.find(LARGE) == (0.75,)
    assert Kept(path, "x").all() == ((0.5,), (0.75,))


def test_equal_networks_share_a_score_whatever_their_widths_are_called(path: Path) -> None:
    kept = Kept(path, "x")
    kept.add(SMALL, (0.5,))
    assert kept.find(SMALL.with_widths({})) == (0.5,)
    assert kept.find(LARGE) is None


def test_a_network_is_worked_on_once(path: Path) -> None:
    asked: list[int] = []

    def work() -> tuple[float, ...]:
        asked.append(1)
        return (0.5,)

    assert [Kept(path, "x").once(SMALL, work) for _ in range(2)] == [(0.5,), (0.5,)]
    assert len(asked) == 1


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_kept(path: Path, score: float) -> None:
    kept = Kept(path, "x")
    with pytest.raises(TooManyFailuresError, match="no numbers"):
        kept.once(SMALL, lambda: (0.5, score))
    assert kept.once(SMALL, lambda: (0.5,)) == (0.5,)


def test_without_a_file_scores_stay_in_memory() -> None:
    kept = Kept(None, "")
    kept.add(SMALL, (0.5,))
    assert (kept.find(SMALL), kept.all()) == ((0.5,), ((0.5,),))


def test_another_evaluators_file_is_refused(path: Path) -> None:
    Kept(path, "supernet 1").add(SMALL, (0.5,))
    with pytest.raises(InputError, match="holds scores of supernet 1, here they are of supernet 2; delete it"):
        Kept(path, "supernet 2").find(SMALL)


@pytest.mark.parametrize("change", ["score", "cut", "empty", "list"])
def test_a_damaged_file_is_refused(path: Path, change: str) -> None:
    Kept(path, "x").add(SMALL, (0.5,))
    text = path.read_text()
    data = json.loads(text)
    data["scores"] = {key: [0.9] for key in data["scores"]}
    path.write_text({"score": json.dumps(data), "cut": text[:-20], "empty": "", "list": "[]"}[change])
    with pytest.raises(InputError, match=str(path)) as caught:
        Kept(path, "x").find(SMALL)
    assert "\n" not in str(caught.value)


def test_no_space_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(path, "x")
    kept.add(SMALL, (0.5,))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device; free space"):
        kept.add(LARGE, (0.75,))
    monkeypatch.undo()
    assert Kept(path, "x").all() == ((0.5,),)
