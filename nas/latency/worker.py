"""The child process that times models: `python -m nas.latency.worker FOLDER`.

It reads `FOLDER/request.json`, adds what it finds to `FOLDER/records` (see `nas.latency.records`), goes on where that
file ends, and prints a line of progress a step. It imports neither torch nor the search, runs pinned to one set of
cores, ends with its parent, and may crash or hang without harm: the parent (`nas.latency.session`) sees it, and
`FOLDER/mark` says over which network.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from nas.arch import from_json
from nas.convert import build
from nas.errors import NasError
from nas.files import read_json
from nas.latency.noise import shares, stolen_pct
from nas.latency.records import End, Failure, Profile, Records, Round
from nas.latency.runtimes import LayerProfile, make_runtime
from nas.latency.timing import UNTIMED_RUNS
from nas.target import Target

REQUEST, RECORDS, MARK = "request.json", "records", "mark"  # files of a session's folder
NOWHERE = -1  # the place before the first network
OURS = 1  # exit code where no network is to blame

Run = Callable[[], object]
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What to time. A network's place is its index in `archs`, then `models`.

    Attributes:
        archs: JSON of the networks to build with random weights.
        models: Paths of model files to time as well, after the networks.
        rounds: Timed runs of every model, in shuffled rounds.
        profiled: How many of the networks, from the first, are profiled as well.
        profile_runs: Profiled runs of each of them.
    """

    target: Target
    archs: tuple[str, ...]
    models: tuple[str, ...]
    rounds: int
    profiled: int
    profile_runs: int
    seed: int

    @property
    def count(self) -> int:
        """Networks and model files."""
        return len(self.archs) + len(self.models)


class Mark:
    """Where the child is, in memory that it shares with its parent: no system call disturbs what is timed."""

    def __init__(self, folder: Path) -> None:
        self._cells = np.memmap(folder / MARK, dtype=np.int64, mode="r+", shape=(2,))

    @classmethod
    def fresh(cls, folder: Path) -> Mark:
        """The mark of a child that has not begun."""
        (folder / MARK).write_bytes(np.array([NOWHERE, 0]).astype(np.int64).tobytes())
        return cls(folder)

    @property
    def place(self) -> int:
        """Place of the network at work."""
        return int(self._cells[0])

    @property
    def steps(self) -> int:
        """Steps begun."""
        return int(self._cells[1])

    def step(self, place: int) -> None:
        """Begin a step."""
        self._cells[0] = place
        self._cells[1] += 1


class Session:
    """A request being answered in its folder."""

    def __init__(self, folder: Path) -> None:
        self._request = build(Request, read_json(folder / REQUEST))
        self._runtime = make_runtime(self._request.target)
        self._archs = [from_json(text) for text in self._request.archs]
        self._records = Records(folder / RECORDS)
        self._mark = Mark(folder)

    def answer(self) -> None:
        """Profile and time what is not on record yet.

        Raises:
            StorageError: A finding cannot be written.
        """
        _pin(self._request.target.threads)
        self._profile_all()
        before = shares()
        self._time_all()
        self._records.add(End(steal_pct=stolen_pct(before, shares())))

    def _profile_all(self) -> None:
        report = _report("profile", self._request.profiled)
        for place in range(self._request.profiled):
            if place not in self._records.profiles:
                layers = self._attempt(place, functools.partial(self._profile, place))
                if layers is not None:
                    self._records.add(Profile(place=place, layers=layers))
            report(place + 1)

    def _profile(self, place: int) -> dict[str, LayerProfile]:
        arch = self._archs[place]
        return self._runtime.profile(self._runtime.write(arch), arch, runs=self._request.profile_runs)

    def _time_all(self) -> None:
        if len(self._records.rounds) >= self._request.rounds:
            return
        report, runners = _report("load", self._request.count), {}
        for place in range(self._request.count):
            run = self._attempt(place, functools.partial(self._load, place))
            if run is not None:
                runners[place] = run
            report(place + 1)
        report = _report("time", self._request.rounds)
        while runners and len(self._records.rounds) < self._request.rounds:
            self._records.add(self._round(runners))
            report(len(self._records.rounds))

    def _load(self, place: int) -> Run:
        models = place - len(self._archs)
        is_file = models >= 0
        model = Path(self._request.models[models]).read_bytes() if is_file else self._runtime.write(self._archs[place])
        return self._runtime.prepare(model)

    def _round(self, runners: dict[int, Run]) -> Round:
        """Run every network, untimed and then once timed, in shuffled order."""
        rng = np.random.default_rng((self._request.seed, len(self._records.rounds)))
        us: list[float | None] = [None] * self._request.count
        for place in rng.permutation(sorted(runners)).tolist():
            us[place] = self._attempt(place, functools.partial(timed_us, runners[place]))
        return Round(us=tuple(us))

    def _attempt(self, place: int, work: Callable[[], T]) -> T | None:
        """Do a network's work; what it raises is recorded against the network, which is left out from then on."""
        if place in self._records.failed:
            return None
        self._mark.step(place)
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - runtimes' many error classes share no other base
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        self._records.add(Failure(place=place, reason=reason))
        return None


def timed_us(run: Run) -> float:
    """Microseconds of a run, after others that are not timed and leave the caches as back-to-back runs find them."""
    for _ in range(UNTIMED_RUNS):
        run()
    start_ns = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - start_ns) / 1000


def _pin(threads: int) -> None:
    """Stay on the last cores this process may use; where the system cannot pin, run unpinned."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def _report(stage: str, total: int) -> Callable[[int], None]:
    def report(done: int) -> None:
        sys.stdout.write(json.dumps([stage, done, total]) + "\n")
        sys.stdout.flush()

    return report


def _end_with_parent() -> None:
    """Wait until the parent's end of standard input closes, however the parent ended."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(OURS)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        Session(Path(sys.argv[1])).answer()
    except NasError as error:
        sys.exit(f"error: {error}")
