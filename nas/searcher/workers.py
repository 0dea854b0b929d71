"""Several processes on one study of this machine.

They are spawned, not forked (a fork of a process with threads can hang), so everything they need is pickled. A worker
that dies, by a crash or by `kill -9`, is started again; the network it was at is evaluated first. Workers end with
their parent, however that ends.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from nas.errors import InputError, NasError, TooManyFailuresError
from nas.progress import Progress, silent
from nas.searcher.job import Job
from nas.searcher.ledger import Ledger
from nas.searcher.worker import MAX_FAILURES, tell

POLL_S = 0.1
PATIENCE_S = 5.0  # with a worker that was asked to end
THREADS = "OMP_NUM_THREADS"
READY, DONE = "ready", "done"  # what a worker says


@dataclass(frozen=True, kw_only=True, slots=True)
class _Child:
    index: int
    process: BaseProcess
    pipe: Connection


def require_sendable(job: Job) -> None:
    """Refuse what cannot be sent to another process.

    Raises:
        InputError: Something cannot.
    """
    _pickled(job)


def work_in_processes(job: Job, ledger: Ledger, workers: int, progress: Progress) -> None:
    """Work on a search with several processes until it is done.

    Args:
        job: The search.
        ledger: Of its study, opened by this process: it is there, and the right one, before anybody starts.
        workers: Most processes to start.
        progress: Told as networks are evaluated.

    Raises:
        InputError: Something cannot be sent to another process, or a process does not start.
        TooManyFailuresError: `MAX_FAILURES` workers died without a result in between, or evaluations failed.
        StorageError: The storage failed.
    """
    limit_ms = job.limits_ms[-1]
    workers = min(workers, job.trials - ledger.evaluated(limit_ms))
    start = partial(_start, payload=_pickled(job), since=ledger.since)
    team: dict[int, _Child] = {}
    try:
        with _shared_cores(workers):
            for index in range(workers):
                team[index] = start(index)
            deaths, told = 0, len(ledger.done)
            while team:
                wait([child.process.sentinel for child in team.values()], timeout=POLL_S)
                died = _look_after(team, start)
                ledger.sync()
                deaths = deaths + died if len(ledger.done) == told else died
                if deaths >= MAX_FAILURES:
                    raise TooManyFailuresError(
                        f"{deaths} workers died in a row; evaluate one network by hand to see why"
                    )
                if len(ledger.done) > told:
                    told = len(ledger.done)
                    tell(progress, ledger, limit_ms, job.trials)
    finally:
        _end(team)


@contextmanager
def _shared_cores(workers: int) -> Iterator[None]:
    """Let each process that is started compute on its share of the cores: torch reads this when it is imported."""
    if THREADS in os.environ or workers < 1:
        yield
        return
    os.environ[THREADS] = str(max(1, (os.cpu_count() or 1) // workers))
    try:
        yield
    finally:
        del os.environ[THREADS]


def _look_after(team: dict[int, _Child], start: Callable[[int], _Child]) -> int:
    """Raise what a worker raised, dismiss who is done, start again who died; return how many died."""
    died = 0
    for child in [child for child in team.values() if not child.process.is_alive()]:
        child.process.join()
        said = _said(child.pipe)
        child.pipe.close()
        del team[child.index]
        if said and isinstance(said[-1], NasError):
            raise said[-1]
        code = child.process.exitcode or 0  # below 0: killed
        if not said and code >= 0:
            raise InputError(
                f"worker {child.index} did not start (exit code {code}); in a script of yours, "
                f"call the search under `if __name__ == '__main__':`"
            )
        if said[-1:] != [DONE]:
            died += 1
            team[child.index] = start(child.index)
    return died


def _start(index: int, *, payload: bytes, since: int | None) -> _Child:
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(index, payload, since, theirs), name=f"search worker {index}")
    process.start()
    theirs.close()
    return _Child(index=index, process=process, pipe=pipe)


def _end(team: dict[int, _Child]) -> None:
    for child in team.values():
        child.process.terminate()
    for child in team.values():
        child.process.join(PATIENCE_S)
        child.process.kill()
        child.process.join()
        child.pipe.close()


def _said(pipe: Connection) -> list[object]:
    said = []
    try:
        while pipe.poll():
            said.append(pipe.recv())
    except (EOFError, OSError):  # it died while it spoke
        pass
    return said


def _pickled(job: Job) -> bytes:
    try:
        return pickle.dumps(job)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise InputError(
            f"workers > 1: the search cannot be sent to other processes ({error}); define `evaluate`, the space and "
            f"the latency at the top of a module, not in a function or as a lambda"
        ) from None


def _work(index: int, payload: bytes, since: int | None, pipe: Connection) -> None:
    """What a worker process does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        try:
            job: Job = pickle.loads(payload)  # noqa: S301  made by this machine's parent process
        except (AttributeError, ImportError) as error:
            raise InputError(f"workers > 1: {error}; define `evaluate` in a module that can be imported") from None
        pipe.send(READY)
        ledger = job.open(since)
        with closing(ledger.shared):
            job.work(ledger, index, silent)
        pipe.send(DONE)
    except NasError as error:
        pipe.send(error)
    except KeyboardInterrupt:
        return


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
