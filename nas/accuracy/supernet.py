"""Accuracy of a network with weights inherited from a supernet, after batch-norm recalibration."""

from __future__ import annotations

import math
from collections.abc import Callable

from nas.accuracy.validation import RECALIBRATION_IMAGES, calibration_images
from nas.arch import Arch, digest
from nas.data import Dataset, to_input
from nas.net import Network, Supernet, slice_network
from nas.training import accuracy, recalibrate

Evaluate = Callable[[Arch], float]  # accuracy in [0, 1]


class SupernetEvaluator:
    """Scores networks on the validation split; equal networks are scored once.

    The statistics come from the same training images each time, so a score depends on the network alone.
    """

    def __init__(
        self, supernet: Supernet, dataset: Dataset, *, images: int = RECALIBRATION_IMAGES, seed: int = 0
    ) -> None:
        """Fix the images.

        Args:
            supernet: Trained; on the device that is to compute.
            dataset: Its training split recalibrates, its validation split scores.
            images: Training images to recalibrate on.
            seed: Of the choice of training images.
        """
        self._supernet = supernet
        self._dataset = dataset
        device = next(supernet.parameters()).device
        self._raw = calibration_images(dataset, images=images, seed=seed, device=str(device))
        self._scores: dict[str, float] = {}

    def __call__(self, arch: Arch) -> float:
        """Accuracy in [0, 1] on the validation split.

        Raises:
            InputError: `arch` does not fit in the supernet.
        """
        key = digest(arch)
        if key not in self._scores:
            self._scores[key] = accuracy(self.network(arch), self._dataset.val, self._dataset)
        return self._scores[key]

    @property
    def largest(self) -> Arch:
        """The network that holds every weight."""
        return self._supernet.arch

    def network(self, arch: Arch) -> Network:
        """The stand-alone network that is scored: inherited weights, recalibrated statistics."""
        images = to_input(self._raw, self._dataset, size_px=arch.size_px)
        return slice_network(self._supernet, arch, recalibrate(self._supernet, arch, images))


def standard_error(accuracy: float, images: int) -> float:
    """Standard error of an accuracy measured on a number of images.

    >>> round(standard_error(0.9, 1000), 4)
    0.0095
    """
    return math.sqrt(accuracy * (1 - accuracy) / images)
