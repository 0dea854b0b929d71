"""The frame of all commands: arguments -> configurations -> the pipeline's function of that name -> exit code.

Only `--help` is answered from here alone; torch, Optuna and Hydra are imported when they are needed,
so that help appears at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from nas._config.folders import CONFIGS, groups
from nas.errors import InputError, NasError, did_you_mean

INTERRUPTED = 130  # what shells report for Ctrl-C
BROKEN_PIPE = 141  # ... and for a reader such as `head` that has seen enough
_FLAGS = """\
  -h, --help         show this text
  -m, --multirun     run once for each value of key=1,2,3 or key=range(1,4)
  --cfg              print the composed configuration and stop
  --config-dir DIR   add your own groups, e.g. DIR/target/mine.yaml or DIR/space/mine.yaml"""


def run(command: str, description: str | None, argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Errors made for users become one line on standard error and the code of their class; others keep their traceback.

    Args:
        command: Name of the command and of the pipeline's function.
        description: What `--help` tells: the command module's docstring.
        argv: Arguments; None: those of the process.
    """
    try:
        code = _run(command, description or "", sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except NasError as error:
        return _failed(error)
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from the last finished step", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more at exit
        return BROKEN_PIPE
    return code


def _run(command: str, description: str, argv: Sequence[str]) -> int:
    arguments = _parse(argv)
    if arguments.help:
        print(_help(command, description))
        return 0
    # Heavy imports happen here and nowhere else in the commands: Hydra, then torch and Optuna with the rooms.
    composing: Any = importlib.import_module("nas._config.compose")
    typed = importlib.import_module("nas._config.remembered").remembered(arguments.overrides)
    overrides = _with_target(typed)
    configs = composing.compose(overrides, multirun=arguments.multirun, config_dir=arguments.config_dir)
    if arguments.cfg:
        print("---\n".join(composing.to_yaml(config) for config in configs), end="")
        return 0
    config, commands = (importlib.import_module(name) for name in ("nas.config", "nas.pipeline.commands"))
    counting = config.load_counts(configs[0]) if command == "profile" and len(configs) == 1 else None
    if counting is not None:
        return int(commands.count(counting))
    runs = config.load(configs, typed)
    work = getattr(commands, command)
    if len(runs) == 1:
        return int(work(runs[0]) or 0)
    return max(_one_of_many(work, settings) for settings in runs)


def _with_target(overrides: Sequence[str]) -> list[str]:
    """Without a target where nothing is measured, so that none need be named."""
    named = any(text.lstrip("+").startswith("target=") for text in overrides)
    counting = any(text.lstrip("+") in ("counts_only=true", "counts_only=True") for text in overrides)
    return [*overrides, "~target"] if counting and not named else list(overrides)


def _one_of_many(work: Any, settings: Any) -> int:
    """Run one point of a sweep; what fails for one budget does not stop the others."""
    try:
        return int(work(settings) or 0)
    except NasError as error:
        return _failed(error)


def _failed(error: NasError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return error.exit_code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see --help")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--cfg", action="store_true")
    parser.add_argument("--config-dir", type=Path)
    parser.add_argument("overrides", nargs="*")
    arguments, unknown = parser.parse_known_intermixed_args(list(argv))
    if unknown:
        known = ("--help", "--multirun", "--cfg", "--config-dir")
        raise InputError(f"unknown option {unknown[0]}{did_you_mean(unknown[0], known)}; see --help")
    return arguments


def _help(command: str, description: str) -> str:
    return "\n".join(
        [
            f"usage: python -m nas.{command} [options] key=value ...",
            "",
            description.strip(),
            "",
            "Options:",
            _FLAGS,
            "",
            "Keys and their defaults:",
            *_keys(),
            "",
            "Groups (group=option; keys inside are group.key=value, shown by --cfg):",
            *_options(),
        ]
    )


def _keys() -> list[str]:
    """The top-level keys of config.yaml, with its comments."""
    text = (CONFIGS / "config.yaml").read_text(encoding="utf-8")
    found = re.findall(r"^(\w+): (\S+)(?: +# (.*))?$", text, re.MULTILINE)
    return [f"  {f'{key}={default}':<27} {note}".rstrip() for key, default, note in found]


def _options() -> list[str]:
    """Every option of every group, with the comment that its file begins with."""
    lines = []
    for group, names in groups(CONFIGS).items():
        for name in names:
            text = (CONFIGS / group / f"{name}.yaml").read_text(encoding="utf-8")
            note = " ".join(re.findall(r"^# ?([^@].*)", text.split("\n\n")[0], re.MULTILINE))
            lines.append(f"  {f'{group}={name}':<27} {note}".rstrip())
    return lines
