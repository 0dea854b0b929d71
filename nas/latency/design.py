"""Which networks to measure, so that everything a space needs is seen.

Kernels of a family, equal but for their channels, are priced from each other (`similar`). A small family is seen
kernel by kernel; of a large one every *cell* is seen, a cell being a third of the range of each channel count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nas.latency.similar import Signature, signature

Keys = Sequence[str]  # of one network's kernels

FEW = 8  # kernels of a family that are seen one by one
CELLS = 3  # a channel count's range is cut into
SIGHTINGS = 2  # networks that everything is seen in, where time allows


def cells_of(networks: Sequence[Keys], known: set[str]) -> list[list[str]]:
    """What each network shows that is not known: kernels of small families, cells of large ones."""
    signatures = {key: signature(key) for keys in networks for key in keys if key not in known}
    families: dict[tuple[str, str, int], list[Signature]] = {}
    for item in signatures.values():
        families.setdefault(_family(item), []).append(item)
    ends = {family: _ends(members) for family, members in families.items()}
    names = {
        key: key if len(families[_family(item)]) <= FEW else _cell(item, ends[_family(item)])
        for key, item in signatures.items()
    }
    return [list(dict.fromkeys(names[key] for key in keys if key in names)) for keys in networks]


def cover(shown: Sequence[Sequence[str]], *, count: int) -> list[int]:
    """Networks in which everything is seen, twice where `count` allows it, then more up to `count`.

    Greedy: each next network shows the most that was not seen often enough.
    """
    names = list(dict.fromkeys(name for items in shown for name in items))
    places = {name: i for i, name in enumerate(names)}
    shows = np.zeros((len(shown), len(names)), dtype=np.int32)
    for i, items in enumerate(shown):
        shows[i, [places[name] for name in items]] = 1
    chosen: list[int] = []
    for sighting in range(1, SIGHTINGS + 1):
        wanted = np.minimum(shows.sum(axis=0), sighting) - shows[chosen].sum(axis=0)
        while (wanted > 0).any() and (sighting == 1 or len(chosen) < count):
            gains = shows @ (wanted > 0)
            gains[chosen] = 0
            chosen.append(int(gains.argmax()))
            wanted -= shows[chosen[-1]]
    taken = set(chosen)
    rest = [i for i in range(len(shown)) if i not in taken]
    return chosen + rest[: max(0, count - len(chosen))]


def suspects(networks: Sequence[Keys], failed: Mapping[int, str]) -> dict[str, str]:
    """Kernels that were only seen in networks that failed -> why the first of these did."""
    cleared = {key for i, keys in enumerate(networks) if i not in failed for key in keys}
    found: dict[str, str] = {}
    for i, reason in failed.items():
        for key in networks[i]:
            if key not in cleared:
                found.setdefault(key, reason)
    return found


def _family(item: Signature) -> tuple[str, str, int]:
    return item.group, item.finish, item.px


def _ends(members: Sequence[Signature]) -> list[tuple[int, int]]:
    return [(min(counts), max(counts)) for counts in zip(*(item.channels for item in members), strict=True)]


def _cell(item: Signature, ends: Sequence[tuple[int, int]]) -> str:
    thirds = [
        min(CELLS - 1, CELLS * (count - low) // max(1, high - low))
        for count, (low, high) in zip(item.channels, ends, strict=True)
    ]
    return f"{item.group} | {item.finish} | {item.px} | {thirds}"
