"""A zero-cost score as an evaluator: fresh weights, one batch of training images, no training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nas.accuracy.inputs import calibration_images
from nas.accuracy.kept import Kept
from nas.accuracy.zero_cost import PROXIES, fresh
from nas.arch import Arch
from nas.data import Dataset
from nas.errors import InputError, did_you_mean

PROXY_IMAGES = 64


def require_proxy(name: str, where: str) -> None:
    """Check the name of a zero-cost score.

    Raises:
        InputError: There is none of this name.
    """
    if name not in PROXIES:
        raise InputError(f"unknown {where} '{name}'{did_you_mean(name, PROXIES)}; known: {', '.join(PROXIES)}")


class ProxyEvaluator:
    """Scores fresh networks; a score is no accuracy, and only its order means anything."""

    is_accuracy = False

    def __init__(
        self,
        proxy: str,
        dataset: Dataset,
        *,
        images: int = PROXY_IMAGES,
        seed: int = 0,
        device: str = "cpu",
        folder: Path | None = None,
    ) -> None:
        """Fix the images.

        Args:
            proxy: A name of `PROXIES`.
            dataset: Its training split gives the batch.
            images: Training images in the batch.
            seed: Of their choice and of the first weights.
            device: Where to compute.
            folder: Where scores are kept for other processes and later runs; None keeps them in memory.

        Raises:
            InputError: The name is unknown.
        """
        require_proxy(proxy, "score")
        self.name = f"zero_cost {proxy}"
        self.identity = f"{proxy} {images} {seed} {dataset.digest()}"
        self._proxy, self._seed, self._device = proxy, seed, device
        self._inputs = calibration_images(dataset, images=images, seed=seed, device=device)
        self._kept = Kept(folder and folder / f"{proxy}.json", self.identity)

    def __call__(self, arch: Arch) -> float:
        """The score; higher is better.

        Raises:
            StorageError: The score cannot be kept.
        """
        return self._kept.once(arch, lambda: (self._score(arch),))[0]

    def scores(self, archs: Sequence[Arch]) -> list[float]:
        """Scores of several networks."""
        return [self(arch) for arch in archs]

    def seen(self) -> list[float]:
        """All scores so far, of other processes and earlier runs too, oldest first."""
        return [score for (score,) in self._kept.all()]

    def standard_error(self, score: float) -> None:
        """None: the spread over first weights and batches is not known."""
        return

    def _score(self, arch: Arch) -> float:
        network = fresh(arch, seed=self._seed).to(self._device)
        return PROXIES[self._proxy](network, self._inputs.whole(arch.size_px), self._inputs.labels)
