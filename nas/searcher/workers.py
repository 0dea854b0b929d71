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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from nas.errors import InputError, NasError, TooManyFailuresError
from nas.progress import Progress, silent
from nas.searcher.job import Job
from nas.searcher.ledger import LATENCY, Ledger
from nas.searcher.worker import MAX_FAILURES

POLL_S = 0.1
READY = "ready"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Child:
    index: int
    process: BaseProcess
    pipe: Connection


def work_in_processes(job: Job, workers: int, progress: Progress) -> Ledger:
    """Work on a search with several processes until it is done.

    Raises:
        InputError: Something cannot be sent to another process, or a process does not start.
        TooManyFailuresError: `MAX_FAILURES` workers died without a result in between, or evaluations failed.
        StorageError: The storage failed.
    """
    payload = _pickled(job)
    ledger = job.open()  # the study is there, and the right one, before anybody starts
    start = partial(_start, payload=payload, workers=workers, since=ledger.since)
    team = [start(index) for index in range(workers)]
    try:
        deaths, told = 0, len(ledger.done)
        while team:
            wait([child.process.sentinel for child in team], timeout=POLL_S)
            team, died = _look_after(team, start)
            ledger.sync()
            deaths = deaths + died if len(ledger.done) == told else died
            if deaths >= MAX_FAILURES:
                raise TooManyFailuresError(f"{deaths} workers died in a row; evaluate one network by hand to see why")
            if len(ledger.done) > told:
                told = len(ledger.done)
                _tell(job, ledger, progress)
    finally:
        _end(team)
    return ledger


def _tell(job: Job, ledger: Ledger, progress: Progress) -> None:
    best = ledger.best(job.limits_ms[-1])
    note = f"best {best.values[0]:.1%} at {best.user_attrs[LATENCY]:.4g} ms" if best else ""
    progress("search", min(len(ledger.done), job.trials), job.trials, note)


def _look_after(team: Sequence[_Child], start: Callable[[int], _Child]) -> tuple[list[_Child], int]:
    """Raise what a worker raised; start again who died. Returns who works on, and how many died."""
    going, died = [], 0
    for child in team:
        if child.process.is_alive():
            going.append(child)
            continue
        child.process.join()
        said = _said(child.pipe)
        child.pipe.close()
        if said and isinstance(said[-1], NasError):
            raise said[-1]
        if child.process.exitcode:
            if not said:
                raise InputError(
                    f"worker {child.index} did not start (exit code {child.process.exitcode}); in a script of yours, "
                    f"call the search under `if __name__ == '__main__':`"
                )
            died += 1
            going.append(start(child.index))
    return going, died


def _start(index: int, *, payload: bytes, workers: int, since: int | None) -> _Child:
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_work, args=(index, payload, workers, since, theirs), name=f"search worker {index}"
    )
    process.start()
    theirs.close()
    return _Child(index=index, process=process, pipe=pipe)


def _end(team: Sequence[_Child]) -> None:
    for child in team:
        child.process.terminate()
    for child in team:
        child.process.join()
        child.pipe.close()


def _said(pipe: Connection) -> list[object]:
    said = []
    try:
        while pipe.poll():
            said.append(pipe.recv())
    except EOFError:
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


def _work(index: int, payload: bytes, workers: int, since: int | None, pipe: Connection) -> None:
    """What a worker process does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Before torch is imported: as many threads as there are cores for each worker would crawl.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
    try:
        try:
            job: Job = pickle.loads(payload)  # noqa: S301  made by this machine's parent process
        except (AttributeError, ImportError) as error:
            raise InputError(f"workers > 1: {error}; define `evaluate` in a module that can be imported") from None
        pipe.send(READY)
        job.work(job.open(since), index, silent)
    except NasError as error:
        pipe.send(error)
    except KeyboardInterrupt:
        return


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
