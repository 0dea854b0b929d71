"""Networks that a space's latencies are checked on: the same ones whenever they are asked for."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from nas.arch import Arch, cost, digest
from nas.space import SearchSpace, largest, smallest, typical

POOL = 100  # random networks that anchors are chosen from


def anchors_of(space: SearchSpace, count: int) -> tuple[Arch, ...]:
    """Networks spread over a space's range of MACs, its smallest and largest among them; fewer in a tiny space."""
    rng = random.Random(f"anchors of {space.name}")
    drawn = (space.build(typical(space, rng)) for _ in range(POOL))
    return tuple(spread(list(by_digest([space.build(smallest), space.build(largest), *drawn]).values()), count))


def by_digest(archs: Sequence[Arch]) -> dict[str, Arch]:
    """Each network once, under its digest."""
    return {digest(arch): arch for arch in archs}


def spread(archs: Sequence[Arch], count: int) -> list[Arch]:
    """Networks spread evenly over the order of MACs, both ends included."""
    ordered = sorted(archs, key=lambda arch: cost(arch).macs)
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[i] for i in dict.fromkeys(places.tolist())]
