"""The child process that times models: `python -m nas.latency.worker FOLDER`.

It reads `FOLDER/request.json`, writes `FOLDER/samples.npy` and `FOLDER/profiles.json`, and prints a line of progress a
step. It imports neither torch nor the search, runs pinned to one set of cores, and may crash or hang without harm: the
parent (`nas.latency.session`) sees it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from nas.arch import Arch, from_json
from nas.errors import NasError
from nas.latency.runtimes import make_runtime
from nas.latency.runtimes.base import Runtime
from nas.latency.timing import Samples
from nas.target import Target


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What to time.

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


def time_models(
    runners: Sequence[Callable[[], object]], *, rounds: int, seed: int, report: Callable[[int], None]
) -> Samples:
    """Time every runner once a round, in shuffled order, each after one untimed run; microseconds (runners, rounds)."""
    rng = np.random.default_rng(seed)
    samples_us = np.zeros((len(runners), rounds))
    for turn in range(rounds):
        for i in rng.permutation(len(runners)):
            runners[i]()
            start_ns = time.perf_counter_ns()
            runners[i]()
            samples_us[i, turn] = (time.perf_counter_ns() - start_ns) / 1000
        report(turn + 1)
    return samples_us


def _profiles(runtime: Runtime, archs: Sequence[Arch], runs: int, report: Callable[[int], None]) -> list[object]:
    profiles: list[object] = []
    for i, arch in enumerate(archs, start=1):
        layers = runtime.profile(runtime.write(arch), arch, runs=runs)
        profiles.append({name: dataclasses.asdict(profile) for name, profile in layers.items()})
        report(i)
    return profiles


def _pin(threads: int) -> None:
    """Stay on the last cores this process may use; where the system cannot pin, run unpinned."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def _report(stage: str, total: int) -> Callable[[int], None]:
    def report(done: int) -> None:
        sys.stdout.write(json.dumps([stage, done, total]) + "\n")
        sys.stdout.flush()

    return report


def run(folder: Path) -> None:
    """Answer the request in a folder."""
    data = json.loads((folder / "request.json").read_text())
    request = Request(**{**data, "target": Target(**data["target"])})
    _pin(request.target.threads)
    runtime = make_runtime(request.target)
    archs = [from_json(text) for text in request.archs]
    loaded = _report("load", len(archs) + len(request.models))
    runners = []
    contents = chain(map(runtime.write, archs), (Path(model).read_bytes() for model in request.models))
    for i, content in enumerate(contents, start=1):
        runners.append(runtime.prepare(content))
        loaded(i)
    chosen = archs[: request.profiled]
    profiles = _profiles(runtime, chosen, request.profile_runs, _report("profile", len(chosen)))
    samples_us = time_models(runners, rounds=request.rounds, seed=request.seed, report=_report("time", request.rounds))
    (folder / "profiles.json").write_text(json.dumps(profiles))
    np.save(folder / "samples.npy", samples_us)


if __name__ == "__main__":
    try:
        run(Path(sys.argv[1]))
    except NasError as error:
        sys.exit(f"error: {error}")
