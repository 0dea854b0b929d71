"""Run a command once for each mark and kill it there, as `kill -9` does.

    python kill.py MARK... -- ARGUMENTS

A mark is a file, killed as soon as it is there, or a number of seconds. The work is done in forked children, so that
Python's imports are paid for once. One line is printed for each child: `killed`, or `ended` where it was too fast.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nas import cli
from nas.pipeline import commands
from tests.pipeline import clock

POLL_S = 0.0005


def job(argv: list[str]) -> int:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        clock.install(patch)
        return cli.run("search", "", argv)


def reached(mark: str) -> Callable[[], bool]:
    """Whether it is time to kill."""
    try:
        end_s = time.monotonic() + float(mark)
    except ValueError:
        return Path(mark).exists
    return lambda: time.monotonic() >= end_s


def killed(argv: list[str], is_time: Callable[[], bool]) -> str:
    """Start the job and kill it when it is time; what became of it."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os._exit(job(argv))
    while not is_time():
        gone, status = os.waitpid(child, os.WNOHANG)
        if gone:
            return "ended" if status == 0 else f"failed {status}"
        time.sleep(POLL_S)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "killed"


if __name__ == "__main__":
    assert callable(commands.search)  # imported once, before the forks
    cut = sys.argv.index("--")
    for mark in sys.argv[1:cut]:
        sys.stdout.write(f"{killed(sys.argv[cut + 1 :], reached(mark))}\n")
        sys.stdout.flush()
