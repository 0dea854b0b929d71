"""The composition root: configurations to `Settings`, names to the code they stand for.

Names are looked up in the tables below and among the installed entry points of `underbudget.spaces` and
`underbudget.evaluators`. A file can only pick a name; nothing that it says is imported or called.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from nas.accuracy import Evaluate, Filter
from nas.convert import MISSING, build, refuse_unknown
from nas.data import Dataset
from nas.data.sources import FashionMnist, Folder, HuggingFace, Npz, Parquet, Source
from nas.errors import InputError, did_you_mean
from nas.settings import (
    ALL,
    AccuracySettings,
    CallableSettings,
    CountSettings,
    MakeCallable,
    MakeSpace,
    Settings,
    ShortTrainingSettings,
    SupernetSettings,
    ZeroCostSettings,
)
from nas.space import SearchSpace, largest
from search_spaces.catalogue import NETWORKS
from search_spaces.ghostnet_space import GhostNetSpace
from search_spaces.lcnet import LCNetSpace
from search_spaces.mixed import MixedSpace
from search_spaces.mobilenet_v3 import MobileNetV3Space
from search_spaces.mobilenet_v4_space import MobileNetV4Space
from search_spaces.published import PUBLISHED
from search_spaces.shufflenet_v2 import ShuffleNetV2Space

_BY_NAME = ("space", "data", "accuracy")  # groups whose `kind` names code
# Fields of `Settings` that no key fills.
_FILLED = ("make_space", "load_data", "catalogue", "published", "cheap_filter", "composed", "overrides")
_TYPED = tuple(field.name for field in fields(Settings) if field.name not in _FILLED)
_KEYS = tuple(dict.fromkeys((*_BY_NAME, "counts_only", *_TYPED)))
_PROFILED = ("networks", "batches", "run", "json", "counts_only")  # of `nas.profile`, no matter to a run
_PLACES = ("name", "runs_dir", "tables_dir", "device", "threads", "storage", "workers", *_PROFILED)  # where, not what

SPACES: Mapping[str, type[SearchSpace]] = MappingProxyType(
    {
        "mobilenet_v3": MobileNetV3Space,
        "mobilenet_v4": MobileNetV4Space,
        "shufflenet_v2": ShuffleNetV2Space,
        "lcnet": LCNetSpace,
        "ghostnet": GhostNetSpace,
        "mixed": MixedSpace,
    }
)
SPACES_GROUP = "underbudget.spaces"  # entry points of other packages: dataclasses like `MobileNetV3Space`
EVALUATORS: Mapping[str, type[AccuracySettings]] = MappingProxyType(
    {
        "supernet": SupernetSettings,
        "short_training": ShortTrainingSettings,
        "zero_cost": ZeroCostSettings,
        "callable": CallableSettings,
    }
)
EVALUATORS_GROUP = "underbudget.evaluators"  # entry points of other packages
_OF_THE_GROUP = ("kind", "filter", "filter_share")  # of a group `accuracy`, beside its settings
FILTER_SHARE = 0.5  # of candidates that pass `accuracy.filter` where no other share is given
SOURCES: Mapping[str, type[Source]] = MappingProxyType(
    {
        "fashion_mnist": FashionMnist,
        "folder": Folder,
        "npz": Npz,
        "parquet": Parquet,
        "huggingface": HuggingFace,
    }
)


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


def load_counts(config: Mapping[str, Any]) -> CountSettings | None:
    """Check and type what `nas.profile counts_only=true` needs; None where that is not asked for.

    Raises:
        InputError: Anything in it is wrong.
    """
    if config.get("counts_only") is not True:
        return None
    refuse_unknown(config, _KEYS)
    asked = {key: config[key] for key in ("design", "json") if key in config}
    networks = config.get("networks") or ([config["network"]] if config.get("network") else ALL)
    return build(CountSettings, {**asked, "networks": networks}, given={"catalogue": NETWORKS})


def _settings(config: Mapping[str, Any], overrides: Sequence[str]) -> Settings:
    refuse_unknown(config, _KEYS)
    rest = {key: value for key, value in config.items() if key not in (*_BY_NAME, "counts_only")}
    rest["name"] = config.get("name") or _name(config)
    make_space = _space(config.get("space"))
    source = _source(config.get("data"))
    accuracy, cheap_filter = _accuracy(config.get("accuracy"))
    # A trial run of the factory refuses bad options before anything long starts.
    space_px = make_space(image_channels=1, classes=2).build(largest).size_px

    def load_data(*, size_px: int | None = None) -> Dataset:
        return source.load(size_px=space_px if size_px is None else size_px)

    given = {
        "make_space": make_space,
        "accuracy": accuracy,
        "cheap_filter": cheap_filter,
        "catalogue": NETWORKS,
        "published": PUBLISHED,
        "load_data": load_data,
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


def _accuracy(options: object) -> tuple[AccuracySettings, Filter | None]:
    """How candidates are scored, and the filter before that."""
    kind, rest = _kind("accuracy", options, tuple(EVALUATORS))
    if isinstance(rest.get("supernet"), Mapping):  # short_training's, composed from the group of that name
        rest["supernet"] = {key: value for key, value in rest["supernet"].items() if key not in _OF_THE_GROUP}
    proxy, share = rest.pop("filter", None), rest.pop("filter_share", FILTER_SHARE)
    given = {"make": _evaluator(rest)} if kind == "callable" else {}
    settings: AccuracySettings = build(EVALUATORS[kind], rest, "accuracy", given=given)
    if proxy is None:
        return settings, None
    if kind == "zero_cost":
        raise InputError("accuracy.filter is for scores that cost more than itself; leave it out with zero_cost")
    return settings, build(Filter, {"proxy": proxy, "share": share}, "accuracy.filter")


def _evaluator(options: Mapping[str, Any]) -> MakeCallable:
    """What an entry point stands for: a function of an `Arch`, or a dataclass whose instances are such functions."""
    installed = {point.name: point for point in metadata.entry_points(group=EVALUATORS_GROUP)}
    name = options.get("evaluator", MISSING)
    if name not in installed and name != MISSING:
        known = ", ".join(installed) or f"none; an installed package names them as entry points of {EVALUATORS_GROUP}"
        raise InputError(f"unknown accuracy.evaluator {name!r}{did_you_mean(str(name), installed)}; known: {known}")
    found: Any = installed[name].load() if name != MISSING else None
    is_class = isinstance(found, type) and is_dataclass(found)
    if found is not None and not (is_class or (callable(found) and not isinstance(found, type))):
        raise InputError(f"accuracy.evaluator = {name!r}: its entry point must be a function or a dataclass: {found!r}")

    def make(*, dataset: Dataset, device: str, seed: int) -> Evaluate:
        plain = options.get("options") or {}
        if not is_class:
            refuse_unknown(plain, (), "accuracy.options")
            return cast("Evaluate", found)
        offered = {"dataset": dataset, "device": device, "seed": seed}
        wanted = {field.name for field in fields(found)}
        given = {key: value for key, value in offered.items() if key in wanted}
        return cast("Evaluate", build(found, plain, "accuracy.options", given=given))

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
    groups = {name: config.get(name) for name in ("target", "space", "data")}
    words = {
        name: str(group.get("name", group.get("kind"))) for name, group in groups.items() if isinstance(group, Mapping)
    }
    network = config.get("network")
    if network and not Path(str(network)).is_dir():  # a network by name or file is a space of its own
        words["space"] = Path(str(network)).stem
    return "-".join([*words.values(), hashlib.sha256(settled.encode()).hexdigest()[:8]])
