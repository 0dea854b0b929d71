"""Where a study may be kept, and one clear error where it cannot."""

from __future__ import annotations

import socket
import threading

import optuna
import pytest
from optuna.storages import JournalStorage

from nas.errors import InputError, StorageError
from nas.searcher import AdditiveLatency, ChoiceSpace, search
from nas.searcher.journal import LockedJournal

SPACE = ChoiceSpace("two", {"a": (0, 1, 2), "b": (0, 1, 2)})
LATENCY = AdditiveLatency({"a": {0: 0.1, 1: 0.2, 2: 0.3}, "b": {0: 0.1, 1: 0.2, 2: 0.3}})


def find(storage, *, trials: int = 4, asked: list | None = None, **changes):
    def evaluate(choices: dict[str, int]) -> float:
        if asked is not None:
            asked.append(choices)
        return choices["a"] + choices["b"] / 10

    settings = {"budget_ms": 0.5, "trials": trials, "seed": 0, "sampler": "random", "storage": storage}
    return search(SPACE, evaluate, LATENCY, **settings | changes)


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("kind", ["path", "text", "sqlite", "object"])
def test_every_storage_resumes(tmp_path, kind) -> None:
    storage = {
        "path": tmp_path / "a" / "journal",
        "text": str(tmp_path / "journal"),
        "sqlite": f"sqlite:///{tmp_path}/study.db",
        "object": optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/other.db"),
    }[kind]
    first, asked = find(storage), []
    assert find(storage, asked=asked) == first
    assert asked == []
    assert len(find(storage, trials=6, asked=asked).trials) == 6
    assert len(asked) == 2


def test_one_database_holds_many_studies(tmp_path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    find(storage, study="a")
    asked = []
    find(storage, study="b", fingerprint="other data", asked=asked)
    assert len(asked) == 4
    with pytest.raises(InputError, match=r"study 'a' holds a search of other settings \(fingerprint: \(none\) -> x\)"):
        find(storage, study="a", fingerprint="x")


def test_a_study_of_somebody_else_is_left_alone(tmp_path) -> None:
    storage = JournalStorage(LockedJournal(tmp_path / "journal"))
    study = optuna.create_study(study_name="search", storage=storage, direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    with pytest.raises(InputError, match="is not one of this package"):
        find(tmp_path / "journal")
    assert len(study.trials) == 1


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_grpc_proxy(tmp_path, port) -> None:
    behind = JournalStorage(LockedJournal(tmp_path / "journal"))
    server = threading.Thread(
        target=optuna.storages.run_grpc_proxy_server,
        args=(behind,),
        kwargs={"host": "127.0.0.1", "port": port},
        daemon=True,
    )
    server.start()
    first, asked = find(f"grpc://127.0.0.1:{port}"), []
    assert find(tmp_path / "journal", asked=asked) == first
    assert asked == []


@pytest.mark.parametrize("url", ["grpc://127.0.0.1:{port}", "postgresql://me:secret@127.0.0.1:{port}/studies"])
def test_a_storage_that_cannot_be_reached_is_one_line_without_its_password(url, port, monkeypatch) -> None:
    monkeypatch.setattr("nas.searcher.storages.GRPC_TIMEOUT_S", 0.2)
    monkeypatch.setattr("nas.searcher.storages.OPENINGS", 1)
    with pytest.raises((StorageError, InputError)) as caught:  # InputError: without PostgreSQL's driver
        find(url.format(port=port))
    text = str(caught.value)
    assert "127.0.0.1" in text
    assert "\n" not in text
    assert "secret" not in text


@pytest.mark.parametrize("url", ["grpc://host", "grpc://:1", "nodatabase://x"])
def test_a_url_that_is_none_is_refused(url) -> None:
    with pytest.raises((InputError, StorageError), match=url.split("/")[0]):
        find(url)


def test_a_database_that_is_read_only_is_one_clear_error(tmp_path) -> None:
    find(f"sqlite:///{tmp_path}/study.db")
    with pytest.raises(StorageError, match="readonly"):
        find(f"sqlite:///file:{tmp_path}/study.db?mode=ro&uri=true", trials=6)
