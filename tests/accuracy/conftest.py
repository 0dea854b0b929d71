from __future__ import annotations

import numpy as np
import pytest

from nas.data import Dataset, MemorySplit, dataset_of


@pytest.fixture(scope="session")
def data() -> Dataset:
    """Grey images of 16 px in two classes that their brightness tells apart; few, so that tests are fast."""
    rng = np.random.default_rng(0)

    def split(count: int) -> MemorySplit:
        labels = np.arange(count) % 2
        noise = rng.normal(0, 30, (count, 16, 16, 1))
        images = np.clip(90 + 70 * labels[:, None, None, None] + noise, 0, 255).astype(np.uint8)
        return MemorySplit(images=images, labels=labels)

    return dataset_of(name="bright", train=split(96), val=split(70), test=split(20), classes=("dark", "bright"))
