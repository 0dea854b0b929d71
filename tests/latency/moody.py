"""The worker on a runtime with moods: `python moody.py -m nas.latency.worker FOLDER`, as the real one is started.

What a network does depends on how many classes it tells apart; FOLDER's own files remember what happened before.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from nas.arch import Arch, from_json, to_json
from nas.errors import DeviceError
from nas.latency import worker
from nas.latency.runtimes import LayerProfile
from nas.latency.timing import Stats

REFUSED, RAISES, CRASHES, HANGS, CRASHES_ONCE, UNPROFILED, SLOW = range(2, 9)  # classes; any others behave
STATS = Stats(runs=3, median_us=2.0, min_us=1.0, iqr_us=0.5, split_half=0.1)


class Moody:
    """A runtime whose models are the networks' own JSON."""

    def __init__(self, folder: Path) -> None:
        self._crashed = folder / "crashed"

    def write(self, arch: Arch) -> bytes:
        return to_json(arch).encode()

    def prepare(self, model: bytes) -> Callable[[], object]:
        classes = from_json(model.decode()).classes
        if classes == REFUSED:
            raise DeviceError("refuses the model\nand says much more")
        return lambda: self._run(classes)

    def profile(self, model: bytes, arch: Arch, *, runs: int) -> dict[str, LayerProfile]:
        if arch.classes == UNPROFILED:
            raise ValueError
        return {"stem": LayerProfile(profiled_us=float(arch.classes), nodes=runs, stats=STATS)}

    def _run(self, classes: int) -> None:
        if classes == RAISES:
            raise RuntimeError("cannot run")
        if classes == CRASHES or (classes == CRASHES_ONCE and not self._crashed.exists()):
            self._crashed.touch()
            os._exit(-9 % 256)
        time.sleep(600 if classes == HANGS else 0.02 if classes == SLOW else 0)


if __name__ == "__main__":
    here = Path(sys.argv[3])
    worker.make_runtime = lambda _target: Moody(here)
    threading.Thread(target=worker._end_with_parent, daemon=True).start()
    worker.Session(here).answer()
