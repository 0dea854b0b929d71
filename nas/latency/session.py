"""A measuring session: networks go to the child process, timings come back."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from nas.arch import Arch, to_json
from nas.errors import DeviceError
from nas.files import read_json
from nas.latency.runtimes import LayerProfile
from nas.latency.timing import Samples
from nas.latency.worker import Request
from nas.progress import Progress
from nas.target import Target

ATTEMPTS = 2
SILENCE_S = 120  # a child that says nothing for so long hangs


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What a session found.

    Attributes:
        samples_us: (networks + model files, rounds), microseconds.
        profiles: One a profiled network, the first ones of the session: layer name -> profile.
    """

    samples_us: Samples
    profiles: tuple[dict[str, LayerProfile], ...]


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
) -> Measured:
    """Time networks (random weights) and model files on a target, interleaved, in a child process.

    Raises:
        DeviceError: The runtime refuses a model, or the child crashed or hung twice.
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
    failure = ""
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(prefix="underbudget-") as folder:
            (Path(folder) / "request.json").write_text(json.dumps(dataclasses.asdict(request)))
            failure = _run_child(Path(folder), progress)
            if not failure:
                return _read(Path(folder))
    raise DeviceError(f"measuring on {target.name} failed {ATTEMPTS} times: {failure}")


def _read(folder: Path) -> Measured:
    profiles = tuple(
        {name: LayerProfile(**layer) for name, layer in profile.items()}
        for profile in read_json(folder / "profiles.json")
    )
    return Measured(samples_us=np.load(folder / "samples.npy", allow_pickle=False), profiles=profiles)


def _run_child(folder: Path, progress: Progress) -> str:
    """Run the worker on a folder; return what went wrong, or an empty string."""
    command = [sys.executable, "-m", "nas.latency.worker", str(folder)]
    with (folder / "errors.txt").open("w+") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as child:  # noqa: S603 - ours
            watchdog = _Watchdog(child)
            try:
                assert child.stdout is not None
                _follow(child.stdout, watchdog, progress)
                code = child.wait()
            finally:
                watchdog.stop()
                child.kill()
        errors.seek(0)
        lines = errors.read().strip().splitlines()
    if watchdog.fired:
        return f"no sign of life for {SILENCE_S} s"
    if code:
        return lines[-1].removeprefix("error: ") if lines else f"the measuring process died (code {code})"
    return ""


def _follow(lines: IO[str], watchdog: _Watchdog, progress: Progress) -> None:
    for line in lines:
        watchdog.feed()
        stage, done, total = json.loads(line)
        progress(f"measure: {stage}", done, total, "")
    watchdog.stop()


class _Watchdog:
    """Kills a child that is silent for too long."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self.fired = False
        self._arm()

    def feed(self) -> None:
        self._timer.cancel()
        self._arm()

    def stop(self) -> None:
        self._timer.cancel()

    def _arm(self) -> None:
        self._timer = threading.Timer(SILENCE_S, self._fire)
        self._timer.daemon = True
        self._timer.start()

    def _fire(self) -> None:
        self.fired = True
        self._child.kill()
