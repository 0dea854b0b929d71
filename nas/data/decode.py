"""Encoded images (files or bytes) to pixels, with Pillow; which of them can be read at all."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from PIL import Image, UnidentifiedImageError

from nas.data.dataset import Pixels

Encoded = Path | bytes

DEEP_MODES = frozenset({"I", "I;16", "I;16B"})  # 16 bits a pixel
GREY_MODES = frozenset({"1", "L", "LA"}) | DEEP_MODES
BROKEN = (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError)
GAP = 2  # a JPEG is decoded at the scale of its own that leaves at least this many pixels for one
ENDS = {"JPEG": (b"\xff\xd9", 2), "PNG": (b"IEND", 12)}  # what closes a whole file, in how many last bytes


class Images(Protocol):
    """A sequence of encoded images, read one at a time."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> Encoded:
        """The file, or its bytes."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What a look at an image's first and last bytes tells."""

    grey: bool


def decode(image: Encoded, *, size_px: int, channels: int) -> Pixels:
    """Decode an image and resize it to a square: (size_px, size_px, channels).

    A JPEG much larger than that is decoded at a half, quarter or eighth, which its format gives at less work.

    Args:
        image: A file or its bytes.
        size_px: Height and width wanted, pixels.
        channels: 1 for grey, 3 for red, green and blue.

    Raises:
        OSError, ValueError, SyntaxError, DecompressionBombError: `BROKEN`: it cannot be read.
    """
    mode = "L" if channels == 1 else "RGB"
    with Image.open(_source(image)) as opened:
        if opened.format == "JPEG" and min(opened.size) >= 2 * GAP * size_px:
            opened.draft(None, (GAP * size_px, GAP * size_px))
        whole: Image.Image = opened
        if opened.mode in DEEP_MODES:
            whole = Image.fromarray((np.asarray(opened) >> 8).astype(np.uint8))
        if whole.mode != mode:
            whole = whole.convert(mode)
        if whole.size != (size_px, size_px):
            whole = whole.resize((size_px, size_px), Image.Resampling.BICUBIC, reducing_gap=3.0)
        return np.asarray(whole, dtype=np.uint8).reshape(size_px, size_px, channels)


def header(image: Encoded) -> Header | None:
    """Look at an image without decoding it; None when it cannot be read.

    The ends of JPEG and PNG files are looked at, which shows those cut short; anything doubtful is decoded.
    """
    try:
        with Image.open(_source(image)) as opened:
            grey = opened.mode in GREY_MODES
            if not _closed(image, opened.format):
                opened.load()
    except BROKEN:
        return None
    return Header(grey=grey)


def _closed(image: Encoded, kind: str | None) -> bool:
    if kind not in ENDS:
        return False
    mark, length = ENDS[kind]
    if isinstance(image, bytes):
        return mark in image[-length:]
    with image.open("rb") as file:
        file.seek(-length, io.SEEK_END)
        return mark in file.read()


def _source(image: Encoded) -> Path | BinaryIO:
    return io.BytesIO(image) if isinstance(image, bytes) else image
