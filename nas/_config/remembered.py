"""A command about a run is asked for what the run was asked for, unless it is typed otherwise.

`python -m nas.train network=runs/x/arch.json` so needs no target, no data and no space: the folder `runs/x` keeps the
arguments that it was made with, in `overrides.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nas.errors import InputError
from nas.files import read_json

OVERRIDES = "overrides.json"  # as `nas.results.RunDir` names it, whose import would cost every command time
_ITS_OWN = frozenset(
    {"name", "network", "networks", "design", "weights", "budget_ms", "budgets", "storage", "workers", "train"}
)


def remembered(overrides: Sequence[str]) -> list[str]:
    """The arguments of the run that `network=` lies in, but for those typed anew, then the typed ones.

    Raises:
        InputError: The run's file of arguments is damaged.
    """
    typed = {_key(text): text.partition("=")[2] for text in overrides}
    network = Path(typed.get("network", "")).expanduser()
    path = (network if network.is_dir() else network.parent) / OVERRIDES
    if "network" not in typed or not network.exists() or not path.exists():
        return list(overrides)
    found = read_json(path)
    if not (isinstance(found, list) and all(isinstance(text, str) for text in found)):
        raise InputError(f"{path} is no list of key=value texts; delete it and give the command its +target")
    groups = {key.split(".")[0] for key in typed if "." not in key}
    kept = [text for text in found if _key(text) not in typed and _key(text).split(".")[0] not in _ITS_OWN | groups]
    return [*kept, *overrides]


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")
