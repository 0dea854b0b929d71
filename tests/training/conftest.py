"""A small data set."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nas.data import Dataset, load_fashion_mnist, subset


@pytest.fixture(scope="session")
def data() -> Dataset:
    """A sixteenth of Fashion-MNIST; networks of 16 px resize it."""
    whole = load_fashion_mnist()
    train, val, test = (
        subset(split, np.arange(n)) for split, n in zip(whole.splits().values(), (384, 200, 200), strict=True)
    )
    return dataclasses.replace(whole, train=train, val=val, test=test)
