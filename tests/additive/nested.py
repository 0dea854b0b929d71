"""A space of operations with parameters of their own in blocks that exist from some depth on, and a cost of it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from nas.space import Choose

Layers = Mapping[str, tuple[object, ...]]


class Nested:
    """The first width goes through all blocks; a kernel of 1 asks for no groups."""

    name = "nested"

    def build(self, choose: Choose, /) -> Layers:
        width = choose("width", (8, 16, 32))
        layers: dict[str, tuple[object, ...]] = {"stem": (width,)}
        for i in range(int(choose("depth", (1, 2)))):
            if choose(f"{i}.op", ("skip", "conv")) == "conv":
                kernel = choose(f"{i}.kernel", (1, 3, 5))
                groups = choose(f"{i}.groups", (1, 2)) if kernel != 1 else 1
                layers[f"{i}.conv"] = (width, kernel, groups)
        return layers


def read(layers: Layers) -> dict[str, float]:
    """A whole number a layer, from its parameters."""
    return {name: float(zlib.crc32(repr(numbers).encode()) % 997) for name, numbers in layers.items()}


def total(layers: Layers, _choices: object) -> float:
    return sum(read(layers).values())
