"""The space that trimming walks in: one network, with a choice of channels for each of its trimmable widths.

A table measured for it prices every network that a trimming can come to, and is proved on such networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from nas.arch import Arch
from nas.errors import InputError
from nas.netadapt.moves import followers, proportional, trimmable
from nas.space import Choice, Choose

SPREAD = 0.25  # standard deviation of a width's share of the options about the network's


@dataclass(frozen=True, kw_only=True, slots=True)
class WidthSpace:
    """Networks that differ from one in their channels only.

    Attributes:
        arch: The widest of them.
        name: Of the space in tables and reports.
        grain: Channels are multiples of it, or those of `arch`.
    """

    arch: Arch
    name: str
    grain: int
    _followers: Mapping[str, frozenset[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_followers", followers(self.arch))

    def build(self, choose: Choose, /) -> Arch:
        """Choose the channels of each width; a choice that no network can have is left out."""
        arch, changes = self.arch, dict[str, int]()
        for width in trimmable(arch):
            full = arch.widths[width]
            channels = int(choose(width, (*range(self.grain, full, self.grain), full)))
            if channels < full:
                changes |= self._changes(width, channels)
        try:
            return arch.with_widths(changes)
        except InputError:
            return self._one_by_one(changes)

    def typical(self, rng: Random) -> Choose:
        """A network like those that a trimming passes through: its widths lie about one share of the full ones.

        Widths that are drawn independently make networks of middling weight only, while trimming starts from the
        heaviest; and what a layer takes depends on whether all weights together fit in a cache. A table from such
        networks took MobileNetV3-Small (6 MB, in 2 MB of cache) for 8 % slower than it is.
        """
        share = rng.random()

        def choose(_name: str, options: Sequence[Choice]) -> Choice:
            place = round((len(options) - 1) * rng.gauss(share, SPREAD))
            return options[min(max(place, 0), len(options) - 1)]

        return choose

    def _changes(self, width: str, channels: int) -> dict[str, int]:
        return {width: channels} | {
            squeeze: proportional(self.arch, squeeze, width, channels, grain=self.grain)
            for squeeze in self._followers.get(width, ())
        }

    def _one_by_one(self, changes: Mapping[str, int]) -> Arch:
        """Every change that the others before it leave possible: groups and sums forbid some."""
        arch = self.arch
        for name, channels in changes.items():
            try:
                arch = arch.with_widths({name: channels})
            except InputError:
                continue
        return arch
