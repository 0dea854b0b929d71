"""Folders of small images to load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_images() -> Callable[..., None]:
    """Write distinct images, 9 x 12, into a folder."""

    def write(folder: Path, count: int, *, grey: bool = False, start: int = 0, suffix: str = "png") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(start, start + count):
            pixels = np.random.default_rng(i).integers(0, 256, (12, 9) if grey else (12, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i:03}.{suffix}")

    return write


@pytest.fixture
def root(tmp_path: Path, write_images: Callable[..., None]) -> Path:
    """Two classes of 20 images each."""
    for name in ("cat", "dog"):
        write_images(tmp_path / name, 20)
    return tmp_path
