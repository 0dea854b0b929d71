"""`nas.train`: the supernet, and one network that inherits from it or starts afresh; alone and by `torchrun`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas import config
from nas._config.compose import compose
from nas.arch import from_json, to_json
from nas.net import load_network
from nas.space import smallest
from tests.pipeline.conftest import Home

ROOT = Path(__file__).parents[2]


@pytest.fixture
def arch(home: Home, tmp_path: Path) -> Path:
    """The smallest network of the tiny job's space, written for 10 classes: the data have 3."""
    (settings,) = config.load(compose(home.argv()))
    path = tmp_path / "arch.json"
    path.write_text(to_json(settings.make_space(image_channels=1, classes=10).build(smallest)), encoding="utf-8")
    return path


def told(home: Home, name: str) -> dict[str, object]:
    return json.loads((home.path / "runs" / name / "training.json").read_text(encoding="utf-8"))


def test_a_network_inherits_and_is_kept(home: Home, arch: Path, untrained) -> None:
    assert home.do("train").code == 0
    outcome = home.do("train", f"network={arch}", "name=one", "train.teacher=largest")
    assert (outcome.code, outcome.err) == (0, "")
    run, found = home.path / "runs" / "one", told(home, "one")
    assert found["start"] == "inherited"
    assert found["before"] <= found["validation_accuracy"] + 0.2  # by other images to recalibrate on
    assert str(found["teacher"]).startswith("the largest network, ")
    network = load_network(run / "arch.json", run / "weights.safetensors")
    assert network.arch.classes == 3
    assert from_json((run / "trimmed.json").read_text(encoding="utf-8")) == network.arch
    assert not list(run.glob("finetune*"))
    untrained()
    again = home.do("train", f"network={arch}", "name=one", "train.teacher=largest")
    assert again.out.splitlines()[-1] == outcome.out.splitlines()[-1]
    assert f"{found['test_accuracy']:.1%}" in again.out


def test_a_network_from_scratch_needs_no_supernet(home: Home, arch: Path) -> None:
    outcome = home.do("train", f"network={arch}", "name=scratch", "train.start=scratch")
    assert (outcome.code, outcome.err) == (0, "")
    assert (told(home, "scratch")["before"], told(home, "scratch")["teacher"]) == (None, "none")
    assert not (home.path / "runs" / ".cache").exists()


def test_a_network_of_another_space_is_refused_before_anything_is_trained(home: Home, untrained) -> None:
    untrained()
    outcome = home.do("train", "network=mobilenet_v3_small", "name=other")
    assert outcome.code == 2
    assert "network=mobilenet_v3_small is no part of the supernet of tiny" in outcome.err
    assert "train.start=scratch" in outcome.err


@pytest.mark.slow
def test_torchrun_trains_together_and_prints_once(home: Home, arch: Path) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "-m", "nas.train"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [*launcher, *home.argv(f"network={arch}", "accuracy.recipe.batch=16", "finetune.batch=16")]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("on validation") == 1
    assert (home.run.path / "weights.safetensors").exists()
