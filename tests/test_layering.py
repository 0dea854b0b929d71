"""Imports go down only: each room may import the rooms before it, and heavy libraries stay where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = (
    ("errors",),
    ("files", "progress", "shipped"),
    ("convert",),
    ("arch",),
    ("space", "target"),
    ("formats",),
    ("net",),
    ("pretrained",),
    ("additive",),
    ("latency",),
    ("data",),
    ("training",),
    ("accuracy",),
    ("deploy",),
    ("searcher",),
    ("netadapt",),
    ("results",),
    ("settings",),
    ("pipeline",),
    ("_config",),
    ("config", "models"),  # names to code: for the commands, for other people's programs
    ("cli",),
    ("search", "sweep", "measure", "train", "trim", "export", "report", "profile"),
)
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
ONLY_IN = {
    "optuna": {"searcher"},
    "hydra": {"_config", "config"},
    "omegaconf": {"_config", "config"},
    "torch": {"net", "pretrained", "data", "training", "accuracy", "deploy", "netadapt", "pipeline"},
    "tensorboard": {"results"},
    "search_spaces": {"config", "models"},
}
SPACES_MAY_IMPORT = ("nas.arch", "nas.space", "nas.errors", "search_spaces")
FILES = sorted((ROOT / "nas").rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports anywhere, functions and `import_module` calls with a literal name included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(level=0, module=str(module)):
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.ImportFrom():
                yield "relative"
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(module))]):
                yield module


def room_of(module: str) -> str:
    return module.split(".")[1]


def belongs_to(path: Path) -> str:
    return path.relative_to(ROOT / "nas").parts[0].removesuffix(".py")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_go_down(path: Path) -> None:
    room = belongs_to(path)
    if room == "__init__":
        return  # the public interface names rooms but imports none: the next test
    assert room in LEVEL, f"give the room '{room}' its place in ROOMS"
    for module in imports(path):
        assert module != "relative", "imports are absolute"
        if module.startswith("nas."):
            other = room_of(module)
            assert other == room or LEVEL[other] < LEVEL[room], f"{room} must not import {other}"


def test_importing_the_package_imports_nothing_else() -> None:
    known = [*sys.stdlib_module_names, "nas"]
    code = "import sys; before = set(sys.modules); import nas; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "nas" in done.stdout.split()
    assert [module for module in done.stdout.split() if module.split(".")[0] not in known or "nas." in module] == []


@pytest.mark.parametrize("path", FILES, ids=name)
def test_heavy_libraries_stay_in_their_rooms(path: Path) -> None:
    if belongs_to(path) == "latency" and "runtimes" in path.parts and "torch" in path.stem:
        return  # a runtime that is torch imports torch
    for module in imports(path):
        library = module.split(".")[0]
        assert belongs_to(path) in ONLY_IN.get(library, {belongs_to(path)}), f"{library} is imported in {name(path)}"


@pytest.mark.parametrize("path", sorted((ROOT / "search_spaces").rglob("*.py")), ids=name)
def test_spaces_know_archs_and_choosers_only(path: Path) -> None:
    for module in imports(path):
        if module.startswith(("nas", "search_spaces")):
            assert module.startswith(SPACES_MAY_IMPORT), f"{name(path)} imports {module}"
        assert module.split(".")[0] not in ONLY_IN or module.startswith("search_spaces")


@pytest.mark.parametrize("room", ROOMS[-1])
def test_commands_hold_no_types(room: str) -> None:
    tree = ast.parse((ROOT / "nas" / f"{room}.py").read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
