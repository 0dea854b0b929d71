from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nas import cli
from nas.results import RunDir
from tests.pipeline import clock

NAME = "tiny"
SETTINGS = (
    "+target=intel_cpu",
    f"name={NAME}",
    "device=cpu",
    "data=folder",
    "space.name=tiny",
    "space.stages=[{widths:[8,16],depths:[1,2],stride:2}]",
    "space.sizes_px=[16]",
    "space.stem_widths=[8]",
    "space.kernels=[3]",
    "space.expansions=[2,3]",
    "space.acts=[relu]",
    "space.head_expansions=[2]",
    "accuracy.recipe.epochs=2",
    "accuracy.recipe.batch=32",
    "accuracy.recalibration_images=64",
    "accuracy.blend=null",
    "searcher.trials=3",
    "finetune.epochs=2",
    "finetune.batch=32",
    "latency.networks=24",
    "latency.anchors=3",
    "latency.heldout=4",
    "latency.rounds=8",
    "latency.profile_runs=4",
)


@dataclass(frozen=True)
class Outcome:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Home:
    """A folder to work in, and the tiny job there."""

    path: Path
    images: Path

    @property
    def run(self) -> RunDir:
        return RunDir(path=self.path / "runs" / NAME)

    def argv(self, *more: str) -> list[str]:
        places = (f"runs_dir={self.path / 'runs'}", f"tables_dir={self.path / 'tables'}", f"data.root={self.images}")
        return [*SETTINGS, *places, *more]

    def do(self, command: str, *more: str) -> Outcome:
        """Run a command of the tiny job in this process."""
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            code = cli.run(command, "", self.argv(*more))
        return Outcome(code, out.getvalue(), err.getvalue())

    def files(self) -> dict[Path, int]:
        """Every file here and when it was last written."""
        found = (path for path in self.path.rglob("*") if path.is_file())
        return {path.relative_to(self.path): path.stat().st_mtime_ns for path in found}


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey images of 16 px: stripes across, stripes down and rings, with noise."""
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    y, x = np.mgrid[:16, :16]
    patterns = {"across": np.sin(y), "down": np.sin(x), "rings": np.cos(np.hypot(x - 7.5, y - 7.5))}
    for name, pattern in patterns.items():
        (root / name).mkdir()
        for i in range(40):
            pixels = np.clip(128 + 90 * pattern + rng.normal(0, 25, (16, 16)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:02}.png")
    return root


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    clock.install(monkeypatch)


@pytest.fixture
def home(tmp_path: Path, images: Path) -> Home:
    return Home(path=tmp_path / "home", images=images)


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory, images: Path) -> tuple[Home, Outcome]:
    """The tiny job, finished by the steady clock; tests that change files work on a `copied` one."""
    home = Home(path=tmp_path_factory.mktemp("done"), images=images)
    with pytest.MonkeyPatch.context() as patch:
        clock.install(patch)
        return home, home.do("search")


@pytest.fixture
def copied(done: tuple[Home, Outcome], tmp_path: Path, steady: None) -> Home:
    home, _ = done
    shutil.copytree(home.path, tmp_path / "home")
    return Home(path=tmp_path / "home", images=home.images)


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """After the call, a training step fails."""

    def refuse(*_: object) -> bool:
        pytest.fail("a training step was taken")

    return lambda: monkeypatch.setattr("nas.training.loop._Training._step", refuse)
