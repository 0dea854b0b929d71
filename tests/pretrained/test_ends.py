"""What weights were made for is read off the file."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from nas.arch import CLASSES, IMAGE
from nas.errors import InputError
from nas.net import Network, save_network
from nas.pretrained import with_ends_of
from search_spaces.catalogue import NETWORKS

SMALL = NETWORKS["mobilenet_v3_small"]()


def test_of_our_files(tmp_path: Path) -> None:
    arch = SMALL.with_widths({IMAGE: 1, CLASSES: 7})
    assert with_ends_of(SMALL, save_network(tmp_path / "a.safetensors", Network(arch))) == arch


def test_of_published_files(tmp_path: Path) -> None:
    """Only the first and the last module are looked at."""
    theirs = {"features.0.0.weight": torch.zeros(16, 2, 3, 3), "classifier.3.weight": torch.zeros(5, 1024)}
    safetensors.torch.save_file(theirs, tmp_path / "a.safetensors")
    found = with_ends_of(SMALL, tmp_path / "a.safetensors")
    assert (found.widths[IMAGE], found.widths[CLASSES]) == (2, 5)


@pytest.mark.parametrize("tensors", [{"features.0.0.weight": torch.zeros(3)}, {"classifier.weight": torch.zeros(0, 4)}])
def test_ends_that_no_network_has_are_left_to_who_loads_them(tmp_path: Path, tensors) -> None:
    safetensors.torch.save_file(tensors, tmp_path / "a.safetensors")
    assert with_ends_of(SMALL, tmp_path / "a.safetensors") == SMALL


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_rubbish_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no safetensors at all")
    with pytest.raises(InputError, match=r"cannot read .*it must be safetensors or a state dict"):
        with_ends_of(SMALL, tmp_path / name)
