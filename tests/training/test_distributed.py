"""Data-parallel training: two processes do what one does with the doubled batch."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from nas.errors import DeviceError
from nas.training import joined, ranks
from tests.training.two_processes import trained

ROOT = Path(__file__).parents[2]


def torchrun_variables(rank: int, port: int) -> dict[str, str]:
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
    numbers = {name: str(value) for name, value in names.items()}
    return {**os.environ, **numbers, "MASTER_ADDR": "localhost", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return int(found.getsockname()[1])


def test_two_processes_equal_one_with_the_doubled_batch(tmp_path: Path) -> None:
    port, program = free_port(), str(Path(__file__).with_name("two_processes.py"))
    processes = [
        subprocess.Popen([sys.executable, program, str(tmp_path), "16"], env=torchrun_variables(rank, port), cwd=ROOT)
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=120) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    first, second = (safetensors.torch.load_file(tmp_path / f"{rank}.safetensors") for rank in range(2))
    whole = trained(tmp_path / "alone", 32)
    for name, tensor in whole.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], tensor, rtol=0, atol=1e-5, msg=name)
    assert not (tmp_path / "folder1").exists()  # the first process alone saves


def test_alone_nothing_is_joined(monkeypatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined("cpu") as here:
        assert here == ranks()
        assert here.first


@pytest.mark.skipif(torch.cuda.device_count() >= 2, reason="there are devices enough")
def test_more_processes_than_cuda_devices_are_refused(monkeypatch) -> None:
    for name, value in torchrun_variables(1, 1).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DeviceError, match=r"2 processes for . CUDA devices"), joined("cuda"):
        pass
