"""Progress of long work on a console: live bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from nas.progress import Progress

LINE_EVERY_S = 10.0


@contextmanager
def progress_reporter(console: Console, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Progress]:
    """Yield a progress callback that shows every stage with an estimate of its remaining time.

    Args:
        console: Where to show it; what is not a terminal gets a line at the start and end of a stage and at most
            one every ten seconds between.
        clock: Seconds, monotonic.
    """
    if not console.is_terminal:
        yield _PlainLines(console, clock)
        return
    columns = (
        TextColumn("{task.description:<10}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Bars(*columns, console=console, get_time=clock) as bars:
        yield _live(bars)


def _live(bars: Bars) -> Progress:
    tasks: dict[str, TaskID] = {}

    def report(stage: str, done: int, total: int, note: str) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total, note=note)
        bars.update(tasks[stage], completed=done, total=total, note=note)

    return report


@dataclass(slots=True)
class _Stage:
    """When a stage was first seen and last told about, seconds, and where it then stood."""

    begin_s: float
    begin_done: int
    told_s: float
    told_done: int


class _PlainLines:
    """A callback that prints few lines."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._stages: dict[str, _Stage] = {}

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        now = self._clock()
        seen = self._stages.get(stage)
        if seen is None or done < seen.told_done:  # a stage may be gone through again
            seen = self._stages[stage] = _Stage(now, done, now, done)
        elif now - seen.told_s < LINE_EVERY_S and not (done >= total > seen.told_done):
            return
        seen.told_s, seen.told_done = now, done
        parts = [f"{stage} {done}/{total}", _remaining(seen, now, done, total), note]
        self._console.print(", ".join(filter(None, parts)), markup=False, highlight=False, soft_wrap=True)


def _remaining(seen: _Stage, now: float, done: int, total: int) -> str:
    if done >= total:
        return f"took {_clock_text(now - seen.begin_s)}"
    if done <= seen.begin_done:
        return ""
    return f"about {_clock_text((now - seen.begin_s) * (total - done) / (done - seen.begin_done))} left"


def _clock_text(seconds: float) -> str:
    """Minutes and seconds.

    >>> _clock_text(61.4)
    '1:01'
    """
    whole = round(seconds)
    return (
        f"{whole // 60}:{whole % 60:02d}"
        if whole < 3600
        else f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    )
