"""Accuracy of a stand-alone network on the validation split, after recalibration on fixed training images."""

from __future__ import annotations

from torch import Tensor

from nas.accuracy.inputs import RECALIBRATION_IMAGES, Inputs, calibration_images
from nas.accuracy.scoring import PLAIN, share_correct, smoothing_of
from nas.data import Dataset
from nas.net import Network
from nas.training import recalibrate, recalibrated


def validation_inputs(dataset: Dataset, *, device: str) -> Inputs:
    """The images of the validation split, in the order in memory that scoring wants."""
    return Inputs(dataset.val, dataset, device=device, channels_last=device != "cpu")


class ValidationScore:
    """Scores networks that own their weights; the same images recalibrate every one."""

    def __init__(
        self,
        dataset: Dataset,
        *,
        device: str = "cpu",
        images: int = RECALIBRATION_IMAGES,
        seed: int = 0,
        reference: Network | None = None,
    ) -> None:
        """Fix the images.

        Args:
            dataset: Its training split recalibrates, its validation split scores.
            device: Where networks are.
            images: Training images to recalibrate on.
            seed: Of their choice.
            reference: A network like those that are scored, left as it is: scores are smoothed shares, its own the
                share exactly. None: plain shares.
        """
        self._calibration = calibration_images(dataset, images=images, seed=seed, device=device)
        self._validation = validation_inputs(dataset, device=device)
        self._smoothing = PLAIN
        if reference is not None:
            exact = recalibrated(reference, self._calibration.whole(reference.arch.size_px))
            self._smoothing = smoothing_of(exact, self._validation)

    def calibration(self, size_px: int) -> tuple[Tensor, Tensor]:
        """The training images that recalibrate, (n, c, size_px, size_px), and their labels (n,)."""
        return self._calibration.whole(size_px), self._calibration.labels

    def ready(self, size_px: int) -> bool:
        """Whether all images lie converted in memory, so that threads may score at once without making them each."""
        return self._calibration.fits(size_px) and self._validation.fits(size_px)

    def __call__(self, network: Network) -> float:
        """Recalibrate a network in place; return its accuracy in [0, 1]."""
        images = self._calibration.whole(network.arch.size_px)
        network.set_stats(recalibrate(network, network.arch, images))
        return share_correct(network, self._validation, self._smoothing)
