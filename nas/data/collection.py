"""`Collection`: encoded images with labels, wherever they come from, and the one way from there to a `Dataset`.

Images that cannot be read are left out and counted. A part that fits in memory is decoded once, a larger one
streamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas.data.dataset import Dataset, Labels, MemorySplit, Split, dataset_of, spread
from nas.data.decode import Images
from nas.data.reading import Chosen, Loading, Look, decode_all, look
from nas.data.splitting import PARTS, split_places
from nas.data.streamed import StreamedSplit
from nas.errors import InputError

MAX_UNREADABLE = 0.1
NORMALISING_IMAGES = 4096  # of a streamed part, evenly spread


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Collection:
    """Encoded images and what is known of them.

    Attributes:
        name: Of the data set.
        where: What users call the place, for messages.
        images: All images.
        names: Of the images, by which a split is recorded.
        labels: (n,) int64, indices of `classes`.
        classes: Names.
        found: Part -> places of its images: `train`, `val`, `test`, or `all` where the data came without a split.
        notes: What was odd about them.
    """

    name: str
    where: str
    images: Images
    names: Sequence[str]
    labels: Labels
    classes: tuple[str, ...]
    found: Mapping[str, Labels]
    notes: tuple[str, ...] = ()


def load_collection(collection: Collection, loading: Loading) -> Dataset:
    """Split, check and decode a collection.

    Raises:
        InputError: Fewer than two classes, a class without readable training images, more than a tenth of the images
            cannot be read, or a split that cannot be made.
        StorageError: A decoding process was killed.
    """
    c = collection
    if len(c.classes) < 2:
        raise InputError(f"{c.where} holds one class, '{''.join(c.classes)}'; a classifier needs at least two")
    parts, notes = split_places(c.found, c.labels, c.names, c.classes, seed=loading.seed, record=loading.split)
    looks = {part: look(c.images, places, loading) for part, places in parts.items()}
    _check_readable(c, looks)
    _check_classes(c, looks)
    channels = 1 if all(one.grey for one in looks.values()) else 3
    splits = {part: _split(c, one, loading, channels) for part, one in looks.items()}
    names = {part: tuple(c.names[place] for place in one.places.tolist()) for part, one in looks.items()}
    return dataset_of(
        name=c.name,
        classes=c.classes,
        notes=(*c.notes, *notes, *_unreadable(c, looks), *_lacking(c, looks)),
        split_record=None if set(c.found) >= set(PARTS) else names,
        normalise_on=_sample(splits["train"], loading),
        **splits,
    )


def _split(collection: Collection, seen: Look, loading: Loading, channels: int) -> Split:
    labels = collection.labels[seen.places]
    if seen.pixels is not None:
        return MemorySplit(images=seen.pixels if channels == 3 else seen.pixels[..., :1].copy(), labels=labels)
    images = Chosen(images=collection.images, places=seen.places)
    return StreamedSplit(
        images=images, labels=labels, size_px=loading.size_px, channels=channels, workers=loading.workers
    )


def _sample(train: Split, loading: Loading) -> Split | None:
    """Training images that stand for all of a streamed split."""
    if not isinstance(train, StreamedSplit):
        return None
    places = spread(train, NORMALISING_IMAGES)
    pixels, readable = decode_all(Chosen(images=train.images, places=places), loading)
    return MemorySplit(images=pixels[readable][..., : train.channels], labels=train.labels[places][readable])


def _broken(collection: Collection, looks: Mapping[str, Look]) -> list[str]:
    return [collection.names[place] for one in looks.values() for place in one.broken.tolist()]


def _check_readable(collection: Collection, looks: Mapping[str, Look]) -> None:
    broken, total = _broken(collection, looks), len(collection.labels)
    if len(broken) > MAX_UNREADABLE * total:
        raise InputError(
            f"{len(broken)} of {total} images of {collection.where} cannot be read, the first is {broken[0]}; "
            "repair or remove them"
        )


def _unreadable(collection: Collection, looks: Mapping[str, Look]) -> Iterator[str]:
    broken, total = _broken(collection, looks), len(collection.labels)
    if broken:
        yield f"{len(broken)} of {total} images could not be read and were left out, e.g. {broken[0]}"


def _check_classes(collection: Collection, looks: Mapping[str, Look]) -> None:
    for part, one in looks.items():
        if not len(one.places):
            raise InputError(f"{collection.where}: no readable image in the part '{part}'; add images")
    for name in _absent(collection, looks["train"]):
        raise InputError(
            f"class '{name}' of {collection.where} has no readable training image; add images or remove the class"
        )


def _lacking(collection: Collection, looks: Mapping[str, Look]) -> Iterator[str]:
    for part in ("val", "test"):
        names = _absent(collection, looks[part])
        if names:
            yield f"{len(names)} of {len(collection.classes)} classes have no image in '{part}', e.g. '{names[0]}'"


def _absent(collection: Collection, seen: Look) -> list[str]:
    counts = np.bincount(collection.labels[seen.places], minlength=len(collection.classes))
    return [name for name, count in zip(collection.classes, counts, strict=True) if not count]
