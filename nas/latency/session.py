"""A measuring session: networks go to the child process, timings come back; one that fails is left out."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nas.arch import Arch, to_json
from nas.errors import DeviceError
from nas.files import write_whole
from nas.latency.records import Failure, Records
from nas.latency.runtimes import LayerProfile
from nas.latency.timing import Samples
from nas.latency.worker import NOWHERE, OURS, RECORDS, REQUEST, Mark, Request
from nas.progress import Progress
from nas.target import Target

ATTEMPTS = 2  # times that a child may die or hang over the same network, or before the first
SILENCE_S = 120.0  # a step that takes so long hangs
POLLS = 8  # looks at the child within the time that makes it hang


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What a session found. A network's place is its index in the archs, then the model files.

    Attributes:
        samples_us: (networks + model files, rounds), microseconds; NaN where the network failed.
        profiles: One a profiled network, the first ones of the session: layer name -> profile; empty where it failed.
        failed: Place of a network that was left out -> why: the runtime refused it, crashed or hung.
        steal_pct: Share of the time asked for that others had while networks were timed, per cent.
    """

    samples_us: Samples
    profiles: tuple[Mapping[str, LayerProfile], ...]
    failed: Mapping[int, str] = field(default_factory=dict)
    steal_pct: float = 0.0


def measure_networks(
    target: Target,
    archs: Sequence[Arch],
    *,
    rounds: int,
    progress: Progress,
    models: Sequence[Path] = (),
    profile_runs: int = 0,
    profiled: int = 0,
    seed: int = 0,
    folder: Path | None = None,
    hang_s: float = SILENCE_S,
) -> Measured:
    """Time networks (random weights) and model files on a target, interleaved, in a child process.

    Args:
        target: Device and runtime.
        archs: Networks.
        rounds: Timed runs of each, in shuffled rounds.
        progress: Told as measuring advances.
        models: Model files.
        profile_runs: Profiled runs of each profiled network.
        profiled: How many of the networks, from the first, are profiled.
        seed: Of the rounds' order.
        folder: Where findings are kept as they are made: a call with the same request goes on where the last one ended.
            None: they are not kept.
        hang_s: Seconds that loading, profiling or running one network may take.

    Raises:
        DeviceError: Every network failed, or the child died twice before the first.
        StorageError: The folder cannot be written.
    """
    request = Request(
        target=target,
        archs=tuple(map(to_json, archs)),
        models=tuple(str(path.resolve()) for path in models),
        rounds=rounds,
        profile_runs=profile_runs,
        profiled=profiled,
        seed=seed,
    )
    if folder is not None:
        return _answer(request, folder, hang_s, progress)
    with tempfile.TemporaryDirectory(prefix="underbudget-") as scratch:
        return _answer(request, Path(scratch), hang_s, progress)


def _answer(request: Request, folder: Path, hang_s: float, progress: Progress) -> Measured:
    """Run children until everything is on record."""
    records = _open(folder, request)
    strikes: Counter[int] = Counter()
    while records.end is None:
        failure = _run_child(folder, hang_s, progress)
        records = Records(folder / RECORDS)
        if records.end is not None:
            break
        strikes[failure.place] += 1
        if strikes[failure.place] < ATTEMPTS:
            continue
        if failure.place == NOWHERE:
            raise DeviceError(f"measuring on {request.target.name} failed {ATTEMPTS} times: {failure.reason}")
        records.add(failure)
    return _measured(request, records)


def _open(folder: Path, request: Request) -> Records:
    """The findings of a folder; none where they belong to another request."""
    text, path = json.dumps(dataclasses.asdict(request)), folder / REQUEST
    if not path.exists() or path.read_text(errors="replace") != text:
        write_whole(folder / RECORDS, "")
        write_whole(path, text)
    return Records(folder / RECORDS)


def _measured(request: Request, records: Records) -> Measured:
    assert records.end is not None
    failed = dict(sorted(records.failed.items()))
    if failed and len(failed) == request.count:
        first, more = next(iter(failed.values())), len(failed) - 1
        others = f", and {more} more networks failed" if more else ""
        raise DeviceError(f"measuring on {request.target.name} failed: {first}{others}")
    rounds = np.array(records.rounds[: request.rounds], dtype=float)  # None becomes NaN
    samples_us = rounds.reshape(request.rounds, request.count).T.copy()
    samples_us[list(failed)] = np.nan
    profiles = (
        {} if place in failed else dict(records.profiles[place])
        for place in range(min(request.profiled, request.count))
    )
    return Measured(samples_us=samples_us, profiles=tuple(profiles), failed=failed, steal_pct=records.end.steal_pct)


def _run_child(folder: Path, hang_s: float, progress: Progress) -> Failure:
    """Run the worker on a folder until it ends; why, and over which network, if it left work undone."""
    mark = Mark.fresh(folder)
    command = [sys.executable, "-m", "nas.latency.worker", str(folder)]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(  # noqa: S603 - ours
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as child,
    ):
        watchdog = _Watchdog(child, mark, hang_s)
        try:
            assert child.stdout is not None
            for line in child.stdout:
                stage, done, total = json.loads(line)
                progress(f"measure: {stage}", done, total, "")
            code = child.wait()
        finally:
            watchdog.stop()
            child.kill()
        errors.seek(0)
        lines = errors.read().strip().splitlines()
    if watchdog.fired:
        return Failure(place=mark.place, reason=f"no sign of life for {watchdog.limit_s:g} s")
    if code == OURS and lines:
        return Failure(place=NOWHERE, reason=lines[-1].removeprefix("error: "))
    return Failure(place=mark.place, reason=f"the measuring process died (code {code})")


class _Watchdog:
    """Kills a child whose mark stands still for too long.

    Attributes:
        fired: Whether it did.
    """

    def __init__(self, child: subprocess.Popen[str], mark: Mark, hang_s: float) -> None:
        self._child, self._mark, self._hang_s = child, mark, hang_s
        self.fired = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def limit_s(self) -> float:
        """How long the child may stay where it is: getting ready takes its own time."""
        return SILENCE_S if self._mark.place == NOWHERE else self._hang_s

    def stop(self) -> None:
        """Let the child be."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        steps, since_s = self._mark.steps, time.monotonic()
        while not self._over.wait(min(self._hang_s, SILENCE_S) / POLLS):
            if self._mark.steps != steps:
                steps, since_s = self._mark.steps, time.monotonic()
            elif time.monotonic() - since_s > self.limit_s:
                self.fired = True
                self._child.kill()
                return
