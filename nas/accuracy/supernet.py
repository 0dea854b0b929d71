"""Accuracy of a network with weights inherited from a supernet, after batch-norm recalibration.

It is a smoothed share (see `nas.accuracy.scoring`) by which the largest network's is its share exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from nas.accuracy.evaluator import standard_error
from nas.accuracy.inputs import RECALIBRATION_IMAGES, calibration_images
from nas.accuracy.kept import Kept
from nas.accuracy.scoring import SMOOTH, Smoothing, share_correct, smoothing_of
from nas.accuracy.validation import validation_inputs
from nas.arch import Arch
from nas.data import Dataset
from nas.net import Network, Supernet, slice_network
from nas.training import recalibrate


class SupernetEvaluator:
    """Scores networks on the validation split; equal networks are scored once.

    The statistics come from the same training images each time, so a score depends on the network alone.
    """

    name = "supernet"
    is_accuracy = True

    def __init__(
        self,
        supernet: Supernet,
        dataset: Dataset,
        *,
        images: int = RECALIBRATION_IMAGES,
        seed: int = 0,
        smooth: float = SMOOTH,
        folder: Path | None = None,
    ) -> None:
        """Fix the images.

        Args:
            supernet: Trained; on the device that is to compute.
            dataset: Its training split recalibrates, its validation split scores.
            images: Training images to recalibrate on.
            seed: Of the choice of training images.
            smooth: See `smoothing_of`; 0 scores by the plain share.
            folder: Where scores are kept for other processes and later runs; None keeps them in memory.
        """
        device = next(supernet.parameters()).device.type
        self._supernet, self._dataset, self._choice = supernet, dataset, (images, seed, smooth)
        self._calibration = calibration_images(dataset, images=images, seed=seed, device=device)
        self._validation = validation_inputs(dataset, device=device)
        path = folder and folder / f"scores-{self.identity}.json"
        self._kept = Kept(path, self.identity if folder else "")

    @cached_property
    def identity(self) -> str:
        """Of the supernet's weights and of the images."""
        sha = hashlib.sha256(f"{self._dataset.digest()} {self._choice}".encode())
        for name, tensor in self._supernet.tensors().items():
            sha.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        return sha.hexdigest()[:12]

    def __call__(self, arch: Arch) -> float:
        """Accuracy in [0, 1] on the validation split.

        Raises:
            InputError: `arch` does not fit in the supernet.
            StorageError: The score cannot be kept.
        """
        return self._kept.once(arch, lambda: (self._share(arch),))[0]

    def scores(self, archs: Sequence[Arch]) -> list[float]:
        """Accuracy of several networks; no faster than one by one, whose images are converted once already."""
        return [self(arch) for arch in archs]

    def standard_error(self, score: float) -> float:
        """Standard error of a score by the number of validation images."""
        return standard_error(score, len(self._dataset.val))

    def _share(self, arch: Arch) -> float:
        return share_correct(self.network(arch), self._validation, self._smoothing)

    @cached_property
    def _smoothing(self) -> Smoothing:
        *_, smooth = self._choice
        return smoothing_of(self.network(self.largest), self._validation, smooth=smooth)

    @property
    def largest(self) -> Arch:
        """The network that holds every weight."""
        return self._supernet.arch

    def network(self, arch: Arch) -> Network:
        """The stand-alone network that is scored: inherited weights, recalibrated statistics."""
        images = self._calibration.whole(arch.size_px)
        return slice_network(self._supernet, arch, recalibrate(self._supernet, arch, images))
