"""The folder of configurations and what lies in it."""

from __future__ import annotations

from pathlib import Path

from nas.shipped import shipped

CONFIGS = shipped("configs")


def groups(folder: Path) -> dict[str, list[str]]:
    """List the groups of a configuration folder: group -> options, sorted."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*/*.yaml")):
        found.setdefault(path.parent.name, []).append(path.stem)
    return found
