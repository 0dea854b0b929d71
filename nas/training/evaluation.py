"""Top-1 accuracy of a stand-alone network."""

from __future__ import annotations

import torch

from nas.data import Dataset, Split, on_device, to_input
from nas.net import Network

BATCH = 256


@torch.no_grad()
def accuracy(network: Network, split: Split, dataset: Dataset) -> float:
    """Share of a split's images whose class has the largest logit, in [0, 1].

    Args:
        network: Evaluated with its running statistics, whatever its mode.
        split: Images to classify.
        dataset: Whose mean and standard deviation normalise them.
    """
    device, training = next(network.parameters()).device, network.training
    network.eval()
    raw, labels = on_device(split, str(device))
    hits = 0
    for start in range(0, len(split), BATCH):
        logits = network(to_input(raw[start : start + BATCH], dataset, size_px=network.arch.size_px))
        hits += int((logits.argmax(dim=1) == labels[start : start + BATCH]).sum())
    network.train(training)
    return hits / len(split)
