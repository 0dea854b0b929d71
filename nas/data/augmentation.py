"""Augmentation of a batch on its device: which variations (`Augmentation`), and the pass that makes them (`augmented`).

Every image has its own draws, and a batch's draws come from one CPU generator; so the result depends on the generator's
seed alone, and a rank of a data-parallel training can take its share of the draws of the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nas.data.mixing import erased, mixed
from nas.data.policy import varied
from nas.data.warping import cropped, shifted
from nas.errors import InputError

Policy = Literal["none", "randaugment", "trivialaugment"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """How training images are varied, in this order.

    Attributes:
        flip: Left-right, every second image.
        shift_px: Largest shift in each direction, pixels; edges are repeated.
        crop_area: Least share of the area of a random crop, which is resized back; 1 for none.
        policy: Colour and shape operations: two random ones of middle strength an image (RandAugment, arXiv
            1909.13719), one of random strength (TrivialAugment, arXiv 2103.10158), or none. Needs the extra `augment`.
        erase: Probability that a random rectangle of an image becomes noise (arXiv 1708.04896).
        mixup: Alpha of the Beta distribution by which two images are blended (arXiv 1710.09412); 0 for none.
        cutmix: Alpha of the Beta distribution by which a rectangle of another image is pasted (arXiv 1905.04899);
            0 for none. With `mixup` as well, each pair of images gets one of the two.
    """

    flip: bool = True
    shift_px: int = 2
    crop_area: float = 1.0
    policy: Policy = "none"
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        if self.shift_px < 0:
            raise InputError(f"shift_px = {self.shift_px}: must be at least 0 pixels")
        if not 0 < self.crop_area <= 1:
            raise InputError(f"crop_area = {self.crop_area:g}: must lie above 0 and be at most 1")
        if not 0 <= self.erase <= 1:
            raise InputError(f"erase = {self.erase:g}: must lie between 0 and 1")
        for name in ("mixup", "cutmix"):
            alpha = getattr(self, name)
            if not 0 <= alpha < float("inf"):
                raise InputError(f"{name} = {alpha:g}: must be at least 0")


def augmented(
    raw: Tensor,
    labels: Tensor,
    augmentation: Augmentation,
    *,
    classes: int,
    generator: torch.Generator,
    rank: int = 0,
    world: int = 1,
) -> tuple[Tensor, Tensor]:
    """Vary a batch.

    Args:
        raw: Images (n, h, w, c) uint8, on the device that is to work.
        labels: (n,) int64.
        augmentation: What is done.
        classes: Of the data set; the width of mixed labels.
        generator: Of the CPU; decides everything.
        rank: Which share of the whole batch this is, where a training has several processes.
        world: Shares of n images that the whole batch has; even n keep the pairs of `mixup` and `cutmix` together.

    Returns:
        Images (n, h, w, c), uint8 or float in 0..255; labels as they came or, where images are mixed, float
        (n, classes).
    """
    share = slice(rank * len(raw), (rank + 1) * len(raw))
    total = world * len(raw)
    a = augmentation
    if a.flip or a.shift_px:
        raw = shifted(raw, flip=a.flip, shift_px=a.shift_px, generator=generator, total=total, share=share)
    if (a.crop_area, a.policy, a.erase, a.mixup, a.cutmix) == (1.0, "none", 0.0, 0.0, 0.0):
        return raw, labels
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    if a.crop_area < 1:
        raw = cropped(raw, least_area=a.crop_area, rng=rng, total=total, share=share)
    if a.policy != "none":
        raw = varied(raw, policy=a.policy, rng=rng, total=total, share=share)
    if a.erase:
        raw = erased(raw, probability=a.erase, rng=rng, total=total, share=share)
    if not (a.mixup or a.cutmix):
        return raw, labels
    return mixed(raw, labels, mixup=a.mixup, cutmix=a.cutmix, classes=classes, rng=rng, total=total, share=share)
