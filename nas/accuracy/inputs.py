"""Images as networks read them, converted once for each input size and used for every network that is scored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from nas.data import Dataset, Loader, drawn, subset, to_input
from nas.data.dataset import Split

KEPT_BYTES = 2**29  # of converted images; more are converted anew for every network
BATCH = 64  # images; larger ones leave a core's cache (measured at 32 px: 128 costs 6 % more, 256 30 %)
RECALIBRATION_IMAGES = 1000


class Inputs:
    """Images of a split, normalised, (n, c, size_px, size_px) float32 on the device that computes."""

    def __init__(self, split: Split, dataset: Dataset, *, device: str, channels_last: bool = True) -> None:
        """Choose the images.

        Args:
            split: All of its images.
            dataset: Whose mean and standard deviation normalise them.
            device: `cpu` or `cuda`.
            channels_last: As torch computes fastest; else the order in memory that ONNX Runtime reads.
        """
        self.labels = torch.from_numpy(split.labels).to(device)
        self._split, self._dataset, self._device, self._channels_last = split, dataset, device, channels_last
        self._loader: Loader | None = None
        self._kept: dict[int, Tensor] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to another process: no images twice."""
        return {**self.__dict__, "_kept": {}, "_loader": None}

    def fits(self, size_px: int) -> bool:
        """Whether all images of this size are kept once they are converted."""
        _, _, channels = self._split.shape
        return len(self._split) * channels * size_px * size_px * 4 <= KEPT_BYTES

    def whole(self, size_px: int) -> Tensor:
        """All images at once."""
        if size_px not in self._kept:
            x = torch.cat(list(self._converted(size_px, BATCH)))
            if sum(kept.nbytes for kept in self._kept.values()) + x.nbytes > KEPT_BYTES:
                return x
            self._kept[size_px] = x
        return self._kept[size_px]

    def batches(self, size_px: int, *, batch: int = BATCH) -> Iterator[Tensor]:
        """The same in batches, the last one smaller; never more than `KEPT_BYTES` in memory."""
        if self.fits(size_px):
            x = self.whole(size_px)
            yield from (x[first : first + batch] for first in range(0, len(x), batch))
        else:
            yield from self._converted(size_px, batch)

    def _converted(self, size_px: int, batch: int) -> Iterator[Tensor]:
        self._loader = self._loader or Loader(self._split, self._device)
        for raw, _ in self._loader.in_order(batch=batch):
            x = to_input(raw, self._dataset, size_px=size_px)
            yield x if self._channels_last else x.contiguous()


def calibration_images(dataset: Dataset, *, images: int, seed: int, device: str) -> Inputs:
    """The training images that batch norm is recalibrated on; `seed` alone chooses them."""
    return Inputs(subset(dataset.train, drawn(dataset.train, images, seed=seed)), dataset, device=device)
