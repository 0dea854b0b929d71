"""Where a study may be kept, and one clear error where it cannot."""

from __future__ import annotations

import multiprocessing
import socket
import warnings
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import ExperimentalWarning
from optuna.storages import JournalStorage

from nas.errors import InputError, StorageError
from nas.searcher import AdditiveLatency, ChoiceSpace, search
from nas.searcher.journal import LockedJournal

SPACE = ChoiceSpace("two", {"a": (0, 1, 2), "b": (0, 1, 2)})
LATENCY = AdditiveLatency({"a": {0: 0.1, 1: 0.2, 2: 0.3}, "b": {0: 0.1, 1: 0.2, 2: 0.3}})
SETTINGS = {"budget_ms": 0.5, "trials": 4, "seed": 0, "sampler": "random"}


def find(storage, *, trials: int = 4, asked: list | None = None, **changes):
    def evaluate(choices: dict[str, int]) -> float:
        if asked is not None:
            asked.append(choices)
        return sum_of(choices)

    return search(SPACE, evaluate, LATENCY, **SETTINGS | {"trials": trials, "storage": storage} | changes)


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


def serve(journal: Path, port: int) -> None:
    warnings.simplefilter("ignore", ExperimentalWarning)
    optuna.storages.run_grpc_proxy_server(JournalStorage(LockedJournal(journal)), host="127.0.0.1", port=port)


@pytest.fixture
def proxy(tmp_path, port) -> Iterator[tuple[str, BaseProcess]]:
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(tmp_path / "journal", port))
    server.start()
    yield f"grpc://127.0.0.1:{port}", server
    server.kill()
    server.join()


def test_the_grpc_proxy(tmp_path, proxy) -> None:
    url, _ = proxy
    first, asked = find(url), []
    assert len(search(SPACE, sum_of, LATENCY, **SETTINGS | {"trials": 6, "storage": url, "workers": 2}).trials) == 6
    again = find(tmp_path / "journal", trials=6, asked=asked)
    assert asked == []
    assert again.trials[:4] == first.trials


def test_a_proxy_that_dies_is_one_clear_error(proxy, monkeypatch) -> None:
    url, server = proxy

    def evaluate(_choices: dict[str, int]) -> float:
        server.kill()
        server.join()
        return 0.5

    with pytest.raises(StorageError, match=r"grpc://127.0.0.1:\d+: the storage failed"):
        search(SPACE, evaluate, LATENCY, **SETTINGS | {"storage": url})


def sum_of(choices: dict[str, int]) -> float:
    return choices["a"] + choices["b"] / 10


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


@pytest.mark.parametrize("url", ["grpc://host", "grpc://:1", "nodatabase://x", "sqlite://host:port/x"])
def test_a_url_that_is_none_is_refused(url) -> None:
    with pytest.raises((InputError, StorageError), match=url.split("/")[0]):
        find(url)


def test_a_storage_object_fails_like_its_path(tmp_path) -> None:
    storage = JournalStorage(LockedJournal(tmp_path / "journal"))
    find(storage)
    with (tmp_path / "journal").open("a") as file:
        file.write("torn\ntorn\n")
    with pytest.raises(StorageError, match="JournalStorage: not a readable study"):
        find(storage)


def test_a_database_that_is_read_only_is_one_clear_error(tmp_path) -> None:
    find(f"sqlite:///{tmp_path}/study.db")
    with pytest.raises(StorageError, match="readonly"):
        find(f"sqlite:///file:{tmp_path}/study.db?mode=ro&uri=true", trials=6)
