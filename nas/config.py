"""The composition root: configurations to `Settings`, names to the code they stand for.

Names are looked up in the tables below and among the installed entry points of `underbudget.spaces`. A file can only
pick a name; nothing that it says is imported or called.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast

from nas.arch import Arch
from nas.convert import build, refuse_unknown
from nas.data import Dataset, load_fashion_mnist, load_folder
from nas.errors import InputError, did_you_mean
from nas.settings import MakeSpace, Settings
from nas.space import SearchSpace, largest
from search_spaces.mobilenet_v3 import MobileNetV3Space, mobilenet_v3_large, mobilenet_v3_small

_BY_NAME = ("space", "data")  # groups whose `kind` names code
_FILLED = ("make_space", "load_data", "networks", "composed", "overrides")  # fields of `Settings` that no key fills
_KEYS = (*_BY_NAME, *(field.name for field in fields(Settings) if field.name not in _FILLED))
_PLACES = ("name", "runs_dir", "tables_dir", "device", "threads", "storage", "workers")  # where it runs, not what


class Source(Protocol):
    """Where images come from."""

    def load(self, *, size_px: int) -> Dataset:
        """Load them; `size_px` is the size wanted where the source has none of its own."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class FashionMnist:
    """The embedded data set."""

    def load(self, *, size_px: int) -> Dataset:
        """Load 28 x 28 grey images."""
        return load_fashion_mnist()


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """A folder of class folders.

    Attributes:
        root: The folder.
        size_px: Images are resized to it; None: the largest input size of the space.
        split_seed: Decides the split where the folders do not; apart from `seed`, so that test images stay unseen.
    """

    root: Path
    size_px: int | None = None
    split_seed: int = 0

    def __post_init__(self) -> None:
        if self.size_px is not None and self.size_px < 1:
            raise InputError(f"data.size_px = {self.size_px}: must be at least 1 pixel")

    def load(self, *, size_px: int) -> Dataset:
        """Load the images."""
        return load_folder(self.root, size_px=self.size_px or size_px, seed=self.split_seed)


SPACES: Mapping[str, type[SearchSpace]] = MappingProxyType({"mobilenet_v3": MobileNetV3Space})
SPACES_GROUP = "underbudget.spaces"  # entry points of other packages: dataclasses like `MobileNetV3Space`
NETWORKS: Mapping[str, Callable[[], Arch]] = MappingProxyType(
    {"mobilenet_v3_large": mobilenet_v3_large, "mobilenet_v3_small": mobilenet_v3_small}
)
SOURCES: Mapping[str, type[Source]] = MappingProxyType({"fashion_mnist": FashionMnist, "folder": Folder})


def load(configs: Sequence[Mapping[str, Any]], overrides: Sequence[str] = ()) -> list[Settings]:
    """Check and type the composed configurations of one command.

    Args:
        configs: What `nas._config.compose.compose` returns: one, or one for each run of a sweep.
        overrides: What they were composed from, as it was typed.

    Raises:
        InputError: Anything in them is wrong; the message names the key, the value and what is expected.
    """
    runs = [_settings(config, overrides) for config in configs]
    names = [run.name for run in runs]
    shared = next((name for name in names if names.count(name) > 1), None)
    if shared:
        raise InputError(f"name={shared} would be shared by {names.count(shared)} runs of the sweep; leave name out")
    return runs


def _settings(config: Mapping[str, Any], overrides: Sequence[str]) -> Settings:
    refuse_unknown(config, _KEYS)
    rest = {key: value for key, value in config.items() if key not in _BY_NAME}
    rest["name"] = config.get("name") or _name(config)
    make_space = _space(config.get("space"))
    source = _source(config.get("data"))
    # A trial run of the factory refuses bad options before anything long starts.
    size_px = make_space(image_channels=1, classes=2).build(largest).size_px
    given = {
        "make_space": make_space,
        "networks": NETWORKS,
        "load_data": lambda: source.load(size_px=size_px),
        "composed": {key: value for key, value in config.items() if key not in _PLACES},
        "overrides": tuple(overrides),
    }
    return build(Settings, rest, given=given)


def _space(options: object) -> MakeSpace:
    installed = {point.name: point for point in metadata.entry_points(group=SPACES_GROUP)}
    kind, rest = _kind("space", options, (*SPACES, *installed))
    cls: Any = SPACES[kind] if kind in SPACES else installed[kind].load()
    if not (isinstance(cls, type) and is_dataclass(cls)):
        raise InputError(f"space.kind = {kind!r}: its entry point must be a dataclass, not {cls!r}")

    def make(*, image_channels: int, classes: int) -> SearchSpace:
        given = {"image_channels": image_channels, "classes": classes}
        return cast("SearchSpace", build(cls, rest, "space", given=given))

    return make


def _source(options: object) -> Source:
    kind, rest = _kind("data", options, tuple(SOURCES))
    return build(SOURCES[kind], rest, "data")


def _kind(group: str, options: object, known: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Split a group's options into its kind and the rest."""
    if not isinstance(options, Mapping) or "kind" not in options:
        raise InputError(f"{group} = {options!r}: expected a group of keys with {group}.kind among them")
    kind = options["kind"]
    if kind not in known:
        raise InputError(f"unknown {group}.kind {kind!r}{did_you_mean(str(kind), known)}; known: {', '.join(known)}")
    return kind, {key: value for key, value in options.items() if key != "kind"}


def _name(config: Mapping[str, Any]) -> str:
    """Name of a run: the same for the same settings, so that the same command goes on with the same run."""
    settled = json.dumps({key: value for key, value in config.items() if key not in _PLACES}, sort_keys=True)
    groups = [config.get(group) for group in ("target", "space", "data")]
    words = [str(group.get("name", group.get("kind"))) for group in groups if isinstance(group, Mapping)]
    return "-".join([*words, hashlib.sha256(settled.encode()).hexdigest()[:8]])
