"""Jobs of `benchmark_trim.py`: trainings in processes of one thread each, each done once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from trim_bench import Bench, Setup


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A call of a function of `trim_methods` with the setup before its arguments."""

    of: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]


def job(of: Callable[..., Any], *arguments: Any, **options: Any) -> Job:
    """Say what to call."""
    return Job(of=of, arguments=arguments, options=options)


class Jobs:
    """Processes that work on jobs."""

    def __init__(self, setup: Setup, *, workers: int) -> None:
        self._setup = setup
        self._pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

    def done(self, bench: Bench, table: str, wanted: Mapping[str, Job]) -> dict[str, Any]:
        """Do the jobs that the table in the file of results lacks; all of their rows."""
        rows = bench.result.setdefault(table, {})
        futures: dict[Future[Any], str] = {
            self._pool.submit(one.of, self._setup, *one.arguments, **one.options): key
            for key, one in wanted.items()
            if key not in rows
        }
        for future in as_completed(futures):
            rows[futures[future]] = future.result()
            bench.keep({})
            print(table, futures[future], flush=True)
        return {key: rows[key] for key in wanted}
