"""YAML groups and command-line overrides to plain dictionaries, by Hydra's compose API.

Hydra finds, merges and sweeps; it neither checks keys (`nas.convert` does, against the dataclasses) nor calls
anything that a file names. Its errors are turned into one line each.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, OverrideType
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nas._config.folders import CONFIGS, groups
from nas.errors import InputError, did_you_mean

Config = dict[str, Any]

LARGEST_FILE_BYTES = 100_000  # a hand-written YAML file is a few kilobytes


def compose(
    overrides: Sequence[str], *, multirun: bool = False, config_dir: Path | None = None
) -> list[dict[str, Any]]:
    """Compose one configuration, or one for each point of a sweep.

    Args:
        overrides: `key=value`; `group=option` and `+group=option` mean the same.
        multirun: Whether `a=1,2,3` and `a=range(1,4)` run once for each value.
        config_dir: The user's own folder of groups, which adds options to ours.

    Raises:
        InputError: Bad grammar, an unknown group option, a sweep without `multirun`, or a file that is not plain YAML.
    """
    options = groups(CONFIGS)
    if config_dir is not None:
        for group, names in _user_groups(config_dir).items():
            options[group] = sorted([*options.get(group, ()), *names])
    jobs = [list(job) for job in itertools.product(*(_values(o, options, sweep=multirun) for o in _parse(overrides)))]
    search_path = [f"hydra.searchpath=[{config_dir.resolve()}]"] if config_dir else []
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return [_compose_one([*job, *search_path]) for job in jobs]


def to_yaml(config: Config) -> str:
    """Return a composed configuration as YAML text."""
    return OmegaConf.to_yaml(OmegaConf.create(config))


def _parse(overrides: Sequence[str]) -> list[Override]:
    for text in overrides:
        if "=" not in text and not text.startswith("~"):
            raise InputError(f"'{text}' is not an override; write key=value, e.g. budget_ms=1.5")
    home = f"\\1={Path.home()}"  # the grammar knows no `~`, and shells leave it alone inside an argument
    expanded = [re.sub(r"^([^=]+)=~(?=/|$)", home, text) for text in overrides]
    try:
        return OverridesParser.create().parse_overrides(overrides=expanded)
    except HydraException as error:
        raise InputError(f"{_one_line(error)}; quote values with special characters: 'key=\"a,b\"'") from None


def _values(override: Override, options: dict[str, list[str]], *, sweep: bool) -> Iterator[str]:
    """The override once for each value it takes, as Hydra needs it to be written."""
    key = override.get_key_element().lstrip("+~")
    if key.split(".")[0] == "hydra":
        raise InputError(f"{override.input_line}: Hydra's own settings have no effect here; runs are kept in runs_dir")
    if override.type is OverrideType.DEL:
        yield str(override.input_line)
        return
    # `++` sets a key whether or not the YAML has it; whether the key exists is the dataclass's to say.
    prefix = "" if key in options else "++"
    if override.is_sweep_override() and not sweep:
        raise InputError(
            f"{override.input_line}: several values; add -m to run each, or quote the text: '{key}=\"a,b\"'"
        )
    if override.is_sweep_override() and (not override.is_discrete_sweep() or isinstance(override.value(), Glob)):
        raise InputError(f"{override.input_line}: a sweep lists its values: {key}=1,2,3 or {key}=range(1,4)")
    texts = override.sweep_string_iterator() if override.is_sweep_override() else [override.get_value_element_as_str()]
    for text in texts:
        if key in options and text not in (*options[key], "null"):
            known = f"available: {', '.join(options[key])}"
            raise InputError(f"unknown {key} '{text}'{did_you_mean(text, options[key])}; {known}")
        yield f"{prefix}{key}={text}"


def _compose_one(overrides: list[str]) -> Config:
    try:
        config = hydra_compose("config", overrides=overrides)
        plain = OmegaConf.to_container(config, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(_one_line(error)) from None
    except RecursionError:
        raise InputError("the configuration is nested too deeply") from None
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).removeprefix("Error merging override ")


def _user_groups(folder: Path) -> dict[str, list[str]]:
    """List the groups of a user's folder after checking that its files are small, plain YAML.

    An alias bomb of 236 bytes keeps OmegaConf busy for a minute; a configuration needs no anchors. Parsing to events,
    as here, expands nothing.
    """
    if not folder.is_dir():
        raise InputError(f"--config-dir {folder}: no such folder")
    for path in folder.rglob("*.yaml"):
        if (CONFIGS / path.relative_to(folder)).exists():
            raise InputError(f"{path}: an option of this name ships with underbudget; choose another file name")
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise InputError(f"{path}: {path.stat().st_size} bytes; a configuration has at most {LARGEST_FILE_BYTES}")
        try:
            events = list(yaml.parse(path.read_text(encoding="utf-8")))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not valid YAML: {_one_line(error)}") from None
        if any(getattr(event, "anchor", None) for event in events):
            raise InputError(f"{path}: anchors and aliases (&name, *name) are not allowed; write the value twice")
    return groups(folder)
