"""A study on a real PostgreSQL, of this machine's installation in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas.errors import StorageError
from nas.searcher import AdditiveLatency, ChoiceSpace, search

PROGRAMS = [
    *sorted(Path("/usr/lib/postgresql").glob("*/bin")),
    *(Path(found).parent for found in [shutil.which("initdb")] if found),
]
SPACE = ChoiceSpace("four", dict.fromkeys("abcd", (0, 1, 2)))
LATENCY = AdditiveLatency({name: {0: 0.1, 1: 0.2, 2: 0.3} for name in "abcd"})
SETTINGS = {"budget_ms": 0.9, "trials": 12, "seed": 0}


class Server:
    """A private server that listens on a socket in its folder and on no port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def do(self, program: str, *arguments: str) -> None:
        as_owner = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # it refuses to run as root
        command = [*as_owner, str(PROGRAMS[-1] / program), "-D", str(self.folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
        self.do("pg_ctl", "-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self) -> None:
        self.do("pg_ctl", "-m", "immediate", "-w", "stop")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if not PROGRAMS:
        pytest.skip("no PostgreSQL here; apt-get install -y postgresql")
    pytest.importorskip("psycopg", reason="no driver; pip install 'underbudget[postgresql]'")
    folder = Path(tempfile.mkdtemp(prefix="underbudget-pg-", dir="/tmp"))  # another user must reach it
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
    server = Server(folder)
    server.do("initdb", "-A", "trust", "-U", "postgres", "--no-sync")
    server.start()
    yield server
    if (folder / "data" / "postmaster.pid").exists():
        server.stop()
    shutil.rmtree(folder)


def total(choices: dict[str, int]) -> float:
    return sum(choices.values()) / 8


def test_workers_share_a_study_and_a_later_call_goes_on(server) -> None:
    result = search(SPACE, total, LATENCY, storage=server.url, workers=2, **SETTINGS)
    asked: list[dict[str, int]] = []

    def evaluate(choices: dict[str, int]) -> float:
        asked.append(choices)
        return total(choices)

    assert len(result.trials) == len({trial.key for trial in result.trials}) == 12
    assert search(SPACE, evaluate, LATENCY, storage=server.url, **SETTINGS) == result
    assert asked == []
    more = search(SPACE, evaluate, LATENCY, storage=server.url, **SETTINGS | {"trials": 14})
    assert more.trials[:12] == result.trials
    assert len(asked) == 2


def test_a_server_that_stops_is_one_clear_error_and_the_same_call_goes_on(server) -> None:
    asked: list[dict[str, int]] = []

    def evaluate(choices: dict[str, int]) -> float:
        asked.append(choices)
        if len(asked) == 3:
            server.stop()
        return total(choices)

    settings = {**SETTINGS, "storage": server.url, "study": "interrupted", "trials": 5}
    with pytest.raises(StorageError, match="the storage failed"):
        search(SPACE, evaluate, LATENCY, **settings)
    server.start()
    assert len(search(SPACE, evaluate, LATENCY, **settings).trials) == 5
    assert asked[2] == asked[3]  # the one whose result could not be written
    assert len(asked) == 6
