"""Data that ships with the package: inside it when installed from a wheel, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: Literal["configs", "latency_tables"]) -> Path:
    """Return the folder of that name."""
    installed = _PACKAGE / f"_{name}"
    return installed if installed.is_dir() else _PACKAGE.parent / name
