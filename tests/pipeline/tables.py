"""Tables changed as another machine would have measured them: valid, checksum included."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from nas.convert import build
from nas.latency.table import LatencyTable, load_table, save_table
from nas.target import Target


def rewrite(path: Path, change: Callable[[LatencyTable], LatencyTable]) -> None:
    target = build(Target, json.loads(path.read_text())["target"])
    save_table(path, change(load_table(path, target=target, host=None)))
