from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from nas import cli
from nas.errors import DeviceError, InfeasibleError, InputError
from nas.settings import Settings

COMMANDS = ("search", "sweep", "measure", "train", "trim", "export", "report", "profile")
TARGET = "+target=intel_cpu"
ROOT = str(Path(cli.__file__).parent.parent)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Settings], int | None]], None]:
    """Replace the pipeline's `search` by a function of the test."""

    def replace(search: Callable[[Settings], int | None]) -> None:
        def importing(name: str) -> ModuleType | SimpleNamespace:
            return SimpleNamespace(search=search) if name == "nas.pipeline.commands" else import_module(name)

        monkeypatch.setattr(cli.importlib, "import_module", importing)

    return replace


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples_keys_and_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_module(f"nas.{command}").main(["--help"]) == 0
    shown = capsys.readouterr().out
    for part in (f"python -m nas.{command} ", "budget_ms=null", "target=intel_cpu", "--multirun"):
        assert part in shown


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys; from nas.search import main; main(['--help']);"
        "print('loaded:', sorted({'torch', 'optuna', 'hydra', 'numpy', 'onnxruntime'} & set(sys.modules)))"
    )
    env = {**os.environ, "PYTHONPATH": ROOT}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("loaded: []\n")


def test_commands_work_from_any_directory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nas.search", "--cfg", TARGET],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "name: intel_cpu" in done.stdout


def test_every_command_has_its_function() -> None:
    pipeline = import_module("nas.pipeline.commands")
    assert all(callable(getattr(pipeline, command)) for command in COMMANDS)


def test_cfg_prints_the_composed_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run("search", "", ["--cfg", TARGET, "budget_ms=2"]) == 0
    assert "budget_ms: 2\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--hlep"], "error: unknown option --hlep (did you mean '--help'?); see --help\n"),
        (["--config-dir"], "error: argument --config-dir: expected one argument; see --help\n"),
        ([TARGET, "budget_ms=0"], "error: budget_ms = 0: must be above 0 milliseconds\n"),
        ([TARGET, "buget_ms=1"], "error: unknown key 'buget_ms' (did you mean 'budget_ms'?)\n"),
    ],
)
def test_bad_input_is_one_line_and_code_2(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run("search", "", argv) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", message)


@pytest.mark.parametrize(("error", "code"), [(InputError, 2), (InfeasibleError, 3), (DeviceError, 6)])
def test_errors_for_users_have_their_codes(error, code, pipeline, capsys) -> None:
    def search(_settings: Settings) -> int:
        raise error("what broke")

    pipeline(search)
    assert cli.run("search", "", [TARGET]) == code
    assert capsys.readouterr().err == "error: what broke\n"


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1)])
def test_what_the_pipeline_returns_is_the_exit_code(returned, code, pipeline) -> None:
    pipeline(lambda _settings: returned)
    assert cli.run("search", "", [TARGET]) == code


def test_a_sweep_runs_every_point_and_reports_the_worst(pipeline, capsys) -> None:
    seen = []

    def search(settings: Settings) -> int:
        seen.append(settings.budget_ms)
        if settings.budget_ms == 1:
            raise InfeasibleError("no network fits")
        return 0

    pipeline(search)
    assert cli.run("search", "", [TARGET, "-m", "budget_ms=1,2"]) == 3
    assert seen == [1.0, 2.0]
    assert capsys.readouterr().err == "error: no network fits\n"


def test_an_interrupt_says_how_to_go_on(pipeline, capsys) -> None:
    def search(_settings: Settings) -> int:
        raise KeyboardInterrupt

    pipeline(search)
    assert cli.run("search", "", [TARGET]) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_other_errors_keep_their_traceback(pipeline) -> None:
    def search(_settings: Settings) -> int:
        raise ZeroDivisionError

    pipeline(search)
    with pytest.raises(ZeroDivisionError):
        cli.run("search", "", [TARGET])


def test_a_closed_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m nas.search --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stderr == ""
    assert done.returncode in {0, 141}
