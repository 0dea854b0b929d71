"""The embedded subset of Fashion-MNIST (Zalando SE, MIT licence, see fashion_mnist_small.LICENSE)."""

from __future__ import annotations

from importlib import resources

import numpy as np

from nas.data.dataset import Dataset, MemorySplit, dataset_of

CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def load_fashion_mnist() -> Dataset:
    """Load 6,000 training, 1,000 validation and 2,000 test images, 28 x 28, grey."""
    with (
        resources.files("nas.data").joinpath("fashion_mnist_small.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        train, val, test = (
            MemorySplit(images=arrays[f"x_{part}"][..., None], labels=arrays[f"y_{part}"].astype(np.int64))
            for part in ("train", "val", "test")
        )
    return dataset_of(name="fashion_mnist", train=train, val=val, test=test, classes=CLASSES)
