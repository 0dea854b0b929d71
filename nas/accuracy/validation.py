"""Accuracy of a stand-alone network on the validation split, after recalibration on fixed training images."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.data import Dataset, generator_of, to_input
from nas.net import Network
from nas.training import accuracy, recalibrate

RECALIBRATION_IMAGES = 1000


def calibration_images(dataset: Dataset, *, images: int, seed: int, device: str) -> Tensor:
    """The training images that batch norm is recalibrated on, raw (n, h, w, c) uint8; `seed` alone chooses them."""
    chosen = torch.randperm(len(dataset.train), generator=generator_of(seed, 0))[:images]
    return torch.from_numpy(dataset.train.images[chosen.numpy()]).to(device)


class ValidationScore:
    """Scores networks that own their weights; the same images recalibrate every one."""

    def __init__(
        self, dataset: Dataset, *, device: str = "cpu", images: int = RECALIBRATION_IMAGES, seed: int = 0
    ) -> None:
        """Fix the images.

        Args:
            dataset: Its training split recalibrates, its validation split scores.
            device: Where networks are.
            images: Training images to recalibrate on.
            seed: Of their choice.
        """
        self._dataset = dataset
        self._raw = calibration_images(dataset, images=images, seed=seed, device=device)

    def __call__(self, network: Network) -> float:
        """Recalibrate a network in place; return its accuracy in [0, 1]."""
        images = to_input(self._raw, self._dataset, size_px=network.arch.size_px)
        network.set_stats(recalibrate(network, network.arch, images))
        return accuracy(network, self._dataset.val, self._dataset)
