"""Accuracy after a short training of each candidate on its own; unpromising ones are stopped early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nas.accuracy.evaluator import standard_error
from nas.accuracy.inputs import RECALIBRATION_IMAGES, calibration_images
from nas.accuracy.kept import Kept
from nas.accuracy.scoring import share_correct
from nas.accuracy.validation import validation_inputs
from nas.arch import Arch
from nas.data import Dataset
from nas.net import Network
from nas.training import Recipe, fine_tune, recalibrated

Unpromising = Callable[[Sequence[float], Sequence[Sequence[float]]], bool]
"""Accuracies of a candidate epoch by epoch so far, and those of the candidates before it -> whether to stop it."""

Start = Callable[[Arch], Network]  # the network that a training begins with: inherited weights or fresh ones


class ShortTrainingEvaluator:
    """Trains each candidate for a few epochs and scores it on the validation split; equal ones once.

    A candidate that is stopped early scores what it had reached; the score is a measured one, of less training.
    """

    name = "short_training"
    is_accuracy = True

    def __init__(
        self,
        start: Start,
        dataset: Dataset,
        recipe: Recipe,
        *,
        origin: str,
        unpromising: Unpromising | None = None,
        images: int = RECALIBRATION_IMAGES,
        seed: int = 0,
        device: str = "cpu",
        folder: Path | None = None,
    ) -> None:
        """Fix the training.

        Args:
            start: Gives what a training begins with.
            dataset: Trained on its training split, scored on its validation split.
            recipe: How long and how.
            origin: Identifies what `start` gives: `fresh`, or a supernet's identity.
            unpromising: Asked after every epoch; None trains every candidate to the end.
            images: Training images to recalibrate on before scoring.
            seed: Of order, augmentation and those images.
            device: `cpu` or `cuda`.
            folder: Where accuracies are kept for other processes and later runs; None keeps them in memory.
        """
        self._start, self._dataset, self._recipe = start, dataset, recipe
        self._unpromising, self._seed, self._device = unpromising, seed, device
        self._calibration = calibration_images(dataset, images=images, seed=seed, device=device)
        self._validation = validation_inputs(dataset, device=device)
        self.identity = f"{origin} {recipe} {unpromising} {images} {seed} {dataset.digest()}"
        self._kept = Kept(folder and folder / "short_training.json", self.identity)

    def __call__(self, arch: Arch) -> float:
        """Accuracy in [0, 1] on the validation split at the end of the training.

        Raises:
            InputError: Too few images for a batch.
            StorageError: The score cannot be kept.
            TooManyFailuresError: The loss diverged.
        """
        return self._kept.once(arch, lambda: self._trained(arch))[-1]

    def scores(self, archs: Sequence[Arch]) -> list[float]:
        """Accuracy of several networks, one after the other."""
        return [self(arch) for arch in archs]

    def curves(self) -> tuple[tuple[float, ...], ...]:
        """Accuracies epoch by epoch of all candidates so far, oldest first; those stopped early are shorter."""
        return self._kept.all()

    def standard_error(self, score: float) -> float:
        """Standard error of a score by the number of validation images; another seed's training differs by more."""
        return standard_error(score, len(self._dataset.val))

    def _trained(self, arch: Arch) -> tuple[float, ...]:
        curve: list[float] = []

        def after_epoch(_done: int, network: Network) -> bool:
            curve.append(self._accuracy(network))
            return self._unpromising is not None and self._unpromising(curve, self._kept.all())

        trained = fine_tune(
            self._start(arch),
            self._dataset,
            self._recipe,
            seed=self._seed,
            device=self._device,
            after_epoch=after_epoch,
        )
        return tuple(curve) or (self._accuracy(trained),)  # a recipe of fewer steps than an epoch has

    def _accuracy(self, network: Network) -> float:
        exact = recalibrated(network, self._calibration.whole(network.arch.size_px))
        return share_correct(exact, self._validation)
