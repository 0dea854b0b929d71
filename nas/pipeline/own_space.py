"""Commands about one network that no space was searched for: its own widths are the space that is priced."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from nas.arch import CLASSES, IMAGE, Arch, from_json, to_json
from nas.errors import InputError
from nas.files import read_json, write_json
from nas.netadapt import WidthSpace
from nas.pipeline.designs import named_arch
from nas.results import RunDir
from nas.settings import Settings

GRAIN = 16  # channels between the widths that a table is measured and proved on, where the target names none


def arch_for(settings: Settings, name: str, *, image_channels: int, classes: int) -> Arch:
    """The network that a name or a file stands for, for the channels and classes of the data.

    Raises:
        InputError: There is no such network or file, or it cannot be made so.
    """
    widths = {IMAGE: image_channels, CLASSES: classes}
    try:
        return named_arch(name, settings.catalogue, settings.design).with_widths(widths)
    except InputError as error:
        raise InputError(f"network={name}: {str(error).removeprefix(f'network={name}: ')}") from None


def of_network(settings: Settings) -> Settings:
    """Settings whose space is the network that `network` names, as wide as it is and narrower.

    Raises:
        InputError: There is no such network.
    """
    name = settings.network
    if name is None or Path(name).is_dir():
        return settings
    size_px = named_arch(name, settings.catalogue, settings.design).size_px

    def make_space(*, image_channels: int, classes: int) -> WidthSpace:
        arch = arch_for(settings, name, image_channels=image_channels, classes=classes)
        return WidthSpace(arch=arch, name=_space_name(name, arch), grain=settings.target.grain or GRAIN)

    return replace(settings, make_space=make_space, load_data=partial(settings.load_data, size_px=size_px))


def of_run(settings: Settings, run: RunDir) -> Settings:
    """Settings whose space is that of a run; unchanged where the run has a space that can be searched.

    Raises:
        InputError: The run's file is damaged.
    """
    if not run.widths.exists():
        return settings
    space = _read(run.widths)

    def make_space(**_: int) -> WidthSpace:
        return space

    return replace(settings, make_space=make_space, load_data=partial(settings.load_data, size_px=space.arch.size_px))


def keep_space(run: RunDir, space: object) -> None:
    """Write a run's space down where it is one network's: further commands about the run need it."""
    if isinstance(space, WidthSpace) and not run.widths.exists():
        text = json.loads(to_json(space.arch))
        write_json(run.widths, {"name": space.name, "grain": space.grain, "arch": text})


def _read(path: Path) -> WidthSpace:
    data: Any = read_json(path)
    if not isinstance(data, Mapping) or set(data) != {"name", "grain", "arch"} or not isinstance(data["grain"], int):
        raise InputError(f"{path} does not hold the widths of a network; trim it again under another name")
    arch = from_json(json.dumps(data["arch"]), where=str(path))
    return WidthSpace(arch=arch, name=str(data["name"]), grain=data["grain"])


def _space_name(name: str, arch: Arch) -> str:
    """What tables call it; the key of a space in a table tells networks of one name apart."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', Path(name).stem)}_{arch.size_px}px_widths"
