"""What one process of several trains: run as a program, once a process, with the variables that `torchrun` sets.

Arguments: folder, batch. Each process writes the weights it ends with to `<folder>/<rank>.safetensors`.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from nas.data import Augmentation, load_fashion_mnist, subset
from nas.net import Network
from nas.space import smallest
from nas.training import Recipe, Sandwich, fine_tune, joined, train_supernet
from tests.net.zoo import SPACE

AUGMENT = Augmentation(mixup=0.2)


def trained(folder: Path, batch: int) -> dict[str, torch.Tensor]:
    """Weights of a supernet, interrupted and resumed, and of a fine-tuned network."""
    whole = load_fashion_mnist()
    few = dataclasses.replace(whole, train=subset(whole.train, np.arange(256)), val=subset(whole.val, np.arange(64)))
    recipe = Recipe(steps=3, batch=batch, lr=0.02, ema=0.9, augment=AUGMENT)
    once = Recipe(steps=3, batch=batch, lr=0.02, augment=AUGMENT)
    path = folder / "supernet.safetensors"
    for _ in range(2):  # the second time from the checkpoint
        supernet = train_supernet(SPACE, few, recipe, strategy=Sandwich(random_paths=1), seed=1, checkpoint=path)
    tuned = fine_tune(Network(SPACE.build(smallest), seed=3), few, once, seed=1)
    return {f"supernet.{name}": tensor for name, tensor in supernet.state_dict().items()} | {
        f"network.{name}": tensor for name, tensor in tuned.state_dict().items()
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    with joined("cpu") as here:
        own = out / f"folder{here.rank}"  # only the first process finds a checkpoint in its folder
        safetensors.torch.save_file(trained(own, int(sys.argv[2])), out / f"{here.rank}.safetensors")
