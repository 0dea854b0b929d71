"""RandAugment and TrivialAugment on batches: every image has operations and strengths of its own.

Colour operations are kornia's (Apache-2.0, the extra `augment`), shape operations one affine map. Operations and ranges
are RandAugment's (arXiv 1909.13719); enhancing by a factor of `1 +- 0.9`, as both papers' code does.
"""

from __future__ import annotations

from types import ModuleType
from typing import Literal, assert_never

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.data.extras import extra
from nas.data.warping import warped

Shape = Literal["shear_x", "shear_y", "move_x", "move_y", "rotate"]
Colour = Literal["brightness", "saturation", "contrast", "sharpness", "posterize", "solarize", "stretch", "equalize"]

SHAPES: tuple[Shape, ...] = ("shear_x", "shear_y", "move_x", "move_y", "rotate")
COLOURS: tuple[Colour, ...] = (
    "brightness",
    "saturation",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "stretch",
    "equalize",
)
OPERATIONS = len(SHAPES) + len(COLOURS) + 1  # the last leaves the image alone
RANDAUGMENT_ROUNDS = 2
RANDAUGMENT_STRENGTH = 9 / 30
STRENGTHS = 31  # of TrivialAugment, evenly from none to full
MOST_SHEAR = 0.3
MOST_MOVE = 150 / 331  # of the side
MOST_TURN_DEG = 30.0
MOST_ENHANCED = 0.9

Draws = NDArray[np.float64]


def varied(
    raw: Tensor,
    *,
    policy: Literal["randaugment", "trivialaugment"],
    rng: np.random.Generator,
    total: int,
    share: slice,
) -> Tensor:
    """Apply a policy.

    Args:
        raw: Images (n, h, w, c) of values in 0..255.
        policy: Which.
        rng: Decides operations and strengths.
        total: Images to draw for.
        share: Which of them these are.

    Returns:
        Images (n, h, w, c) float in 0..255.

    Raises:
        InputError: kornia is not installed.
    """
    kornia = extra("kornia.enhance", option=f"augment.policy={policy}", name="augment")
    x = raw.permute(0, 3, 1, 2).float() / 255
    for _ in range(RANDAUGMENT_ROUNDS if policy == "randaugment" else 1):
        operation = rng.integers(0, OPERATIONS, total)
        sign = rng.choice((-1.0, 1.0), total)
        strength = rng.integers(0, STRENGTHS, total) / (STRENGTHS - 1)
        if policy == "randaugment":
            strength[:] = RANDAUGMENT_STRENGTH
        x = _applied(x, operation[share], strength[share], sign[share], kornia)
    return (x * 255).permute(0, 2, 3, 1)


def _applied(x: Tensor, operation: NDArray[np.int64], strength: Draws, sign: Draws, kornia: ModuleType) -> Tensor:
    """Images (n, c, h, w) in [0, 1], each changed by its operation."""
    bent = np.flatnonzero(operation < len(SHAPES))
    if len(bent):
        theta = np.stack([_matrix(SHAPES[operation[i]], strength[i] * sign[i]) for i in bent])
        places = torch.from_numpy(bent).to(x.device)
        x = x.index_copy(
            0, places, warped(x[places] - 0.5, theta, outside="zeros") + 0.5
        )  # what comes into view is grey
    for number, colour in enumerate(COLOURS, start=len(SHAPES)):
        chosen = np.flatnonzero(operation == number)
        if len(chosen):
            places = torch.from_numpy(chosen).to(x.device)
            changed = _coloured(x[places], colour, strength[chosen], sign[chosen], kornia)
            x = x.index_copy(0, places, changed.clamp(0, 1))
    return x


def _matrix(shape: Shape, amount: float) -> Draws:
    """The affine map (2, 3) of an operation at a signed strength in [-1, 1]."""
    match shape:
        case "shear_x":
            return np.array([[1, amount * MOST_SHEAR, 0], [0, 1, 0]])
        case "shear_y":
            return np.array([[1, 0, 0], [amount * MOST_SHEAR, 1, 0]])
        case "move_x":
            return np.array([[1, 0, 2 * amount * MOST_MOVE], [0, 1, 0]])  # coordinates run from -1 to 1
        case "move_y":
            return np.array([[1, 0, 0], [0, 1, 2 * amount * MOST_MOVE]])
        case "rotate":
            angle = np.deg2rad(amount * MOST_TURN_DEG)
            return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0]])
        case _:
            assert_never(shape)


def _coloured(x: Tensor, colour: Colour, strength: Draws, sign: Draws, kornia: ModuleType) -> Tensor:
    """Images (n, c, h, w) in [0, 1], all changed by one operation at strengths (n,) in [0, 1]."""

    def on_images(values: Draws) -> Tensor:
        return torch.from_numpy(values).to(x.device, x.dtype)

    factor = on_images(1 + MOST_ENHANCED * strength * sign)
    match colour:
        case "brightness":
            changed = x * factor[:, None, None, None]
        case "saturation":
            changed = kornia.adjust_saturation_with_gray_subtraction(x, factor) if x.shape[1] == 3 else x
        case "contrast":
            changed = kornia.adjust_contrast_with_mean_subtraction(x, factor)
        case "sharpness":
            changed = kornia.sharpness(x, factor)
        case "posterize":
            changed = kornia.posterize(x, on_images(8 - np.rint(4 * strength)).int())
        case "solarize":
            changed = kornia.solarize(x, on_images(1 - strength))
        case "stretch":
            changed = kornia.normalize_min_max(x)
        case "equalize":
            changed = kornia.equalize(x)
        case _:
            assert_never(colour)
    return torch.as_tensor(changed)
