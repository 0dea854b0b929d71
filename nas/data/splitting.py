"""Which images train, validate and test: as the data came, or by a seed, or as a record of an earlier split says.

A split that a seed made is a promise about which images stay unseen, so it can be written down (`record_text`) and
given back (`read_record`): it then holds even after images were added.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nas.data.dataset import Labels
from nas.errors import InputError
from nas.files import read_json

WHOLE = "all"  # the one part of data that came without a split
PARTS = ("train", "val", "test")
ALIASES = {"valid": "val", "validation": "val", "dev": "val"}

Record = Mapping[str, tuple[str, ...]]  # part -> names of its images


def part_after_part(sizes: Mapping[str, int]) -> dict[str, Labels]:
    """Part -> places of its images, where parts of such sizes lie one after the other.

    >>> part_after_part({"train": 2, "test": 1})
    {'train': array([0, 1]), 'test': array([2])}
    """
    places = np.split(np.arange(sum(sizes.values())), np.cumsum(list(sizes.values()))[:-1])
    return dict(zip(sizes, places, strict=True))


def split_places(
    found: Mapping[str, Labels],
    labels: Labels,
    names: Sequence[str],
    classes: Sequence[str],
    *,
    seed: int,
    record: Path | None,
) -> tuple[dict[str, Labels], list[str]]:
    """Decide which images train, validate and test.

    Args:
        found: Part -> places of its images, as the data came: `WHOLE` alone, or `train` and maybe others.
        labels: (n,) of all images.
        names: Of all images.
        classes: Names.
        seed: Decides what the data leaves open,
        record: unless this file of an earlier split does.

    Returns:
        Part -> places, for all of `PARTS`, and notes.

    Raises:
        InputError: A class has too few images to share out, or the record is no record of this data.
    """
    if record is None:
        return completed(found, labels, names, classes, seed=seed), []
    if set(found) >= set(PARTS):
        raise InputError(f"data.split = {record}: the data comes with train, val and test; leave data.split out")
    parts, unnamed = recorded(read_record(record), names, where=record)
    return parts, [f"{unnamed} images that {record} does not name were left out"] if unnamed else []


def completed(
    found: Mapping[str, Labels], labels: Labels, names: Sequence[str], classes: Sequence[str], *, seed: int
) -> dict[str, Labels]:
    """Make the parts that the data came without, class by class.

    Data without parts is split 80/10/10; a missing validation part is a tenth of the training part, a missing test
    part half of the validation part.

    Args:
        found: Part -> places of its images; either `WHOLE` alone, or `train` and maybe others.
        labels: (n,) of all images.
        names: Of all images, for messages.
        classes: Names.
        seed: Decides which images go where.

    Returns:
        Part -> places, class by class, for all of `PARTS`.

    Raises:
        InputError: A class has too few images to share out.
    """
    rng = random.Random(seed)
    parts = dict(found)

    def take(part: str, share: float) -> tuple[Labels, Labels]:
        return _shared_out(parts[part], labels, names, classes, share=share, rng=rng)

    if WHOLE in parts:
        parts["train"], parts["val"] = take(WHOLE, 0.2)
        parts["val"], parts["test"] = take("val", 0.5)
    if "val" not in parts:
        parts["train"], parts["val"] = take("train", 0.1)
    if "test" not in parts:
        parts["val"], parts["test"] = take("val", 0.5)
    return {part: parts[part] for part in PARTS}


def _shared_out(
    places: Labels, labels: Labels, names: Sequence[str], classes: Sequence[str], *, share: float, rng: random.Random
) -> tuple[Labels, Labels]:
    """Move a share of each class, at least one image, to a second part."""
    kept: list[int] = []
    taken: list[int] = []
    for label, name in enumerate(classes):
        members = places[labels[places] == label].tolist()
        if not members:
            continue
        if len(members) < 2:
            raise InputError(
                f"class '{name}' has too few images ({names[members[0]]}) to split; at least 10 a class are needed"
            )
        shuffled = rng.sample(members, len(members))
        count = max(1, round(share * len(members)))
        taken += sorted(shuffled[:count])
        kept += sorted(shuffled[count:])
    return np.array(kept, dtype=np.int64), np.array(taken, dtype=np.int64)


def recorded(record: Record, names: Sequence[str], *, where: Path) -> tuple[dict[str, Labels], int]:
    """Find the images of a recorded split again.

    Args:
        record: Part -> names.
        names: Of the images that there are.
        where: The record's file, for messages.

    Returns:
        Part -> places, and how many images the record does not name; they are left out.

    Raises:
        InputError: Images of the record are gone.
    """
    place_of = {name: place for place, name in enumerate(names)}
    missing = [name for part in record.values() for name in part if name not in place_of]
    if missing:
        raise InputError(
            f"{where}: {len(missing)} of its images are gone, e.g. {missing[0]}; put them back, or split anew"
        )
    parts = {part: np.array([place_of[name] for name in record[part]], dtype=np.int64) for part in PARTS}
    return parts, len(names) - sum(len(part) for part in record.values())


def record_text(record: Record) -> str:
    """Write a split down: JSON, a line an image.

    >>> print(record_text({"train": ("cat/1.png",), "val": (), "test": ()}), end="")
    {"train": [
    "cat/1.png"],
    "val": [],
    "test": []}
    """
    parts = [f"{json.dumps(part)}: [{_lines(record[part])}]" for part in PARTS]
    return "{" + ",\n".join(parts) + "}\n"


def _lines(names: Sequence[str]) -> str:
    return "".join(f"{',' if place else ''}\n{json.dumps(name)}" for place, name in enumerate(names))


def read_record(path: Path) -> Record:
    """Read what `record_text` wrote.

    Raises:
        InputError: The file cannot be read, or names an image twice or parts that are not `PARTS`.
    """
    value = read_json(path)
    if not isinstance(value, dict) or set(value) != set(PARTS):
        raise InputError(f"{path}: not a record of a split: expected the keys {', '.join(PARTS)}")
    names = [name for part in value.values() for name in (part if isinstance(part, list) else [None])]
    if not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: not a record of a split: each part is a list of names")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path}: names {twice} twice; an image belongs to one part")
    return {part: tuple(value[part]) for part in PARTS}
