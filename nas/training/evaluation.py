"""Top-1 accuracy of a stand-alone network."""

from __future__ import annotations

import torch

from nas.data import Dataset, Loader, Split, to_input
from nas.errors import InputError
from nas.net import Network, statistic_shapes

BATCH = 256


@torch.no_grad()
def accuracy(network: Network, split: Split | Loader, dataset: Dataset) -> float:
    """Share of a split's images whose class has the largest logit, in [0, 1].

    Args:
        network: Evaluated with its running statistics, whatever its mode.
        split: Images to classify; a loader, on the network's device, saves putting them there again.
        dataset: Whose mean and standard deviation normalise them.

    Raises:
        InputError: The network has batch norm whose running statistics nobody has collected.
    """
    require_statistics(network)
    device, training = next(network.parameters()).device, network.training
    loader = split if isinstance(split, Loader) else Loader(split, str(device))
    network.eval()
    hits = 0
    for raw, labels in loader.in_order(batch=BATCH):
        logits = network(to_input(raw, dataset, size_px=network.arch.size_px))
        hits += int((logits.argmax(dim=1) == labels).sum())
    network.train(training)
    return hits / len(split)


def require_statistics(network: Network) -> None:
    """Check that a network can be scored.

    Raises:
        InputError: It has batch norm, and all its running statistics still have their first values.
    """
    tensors = network.tensors()
    names = list(statistic_shapes(network.arch))
    if names and all(bool((tensors[name] == (0 if name.endswith(".mean") else 1)).all()) for name in names):
        raise InputError(
            "scored without recalibration: every running statistic of the network still has its first value; "
            "call nas.training.recalibrated(network, images), or train it, before it is scored"
        )
