"""What tables of images have in common: which column is the label, and what its values mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from nas.data.dataset import Labels
from nas.data.splitting import part_after_part
from nas.errors import InputError, did_you_mean

LABELS = ("label", "labels", "class", "target", "fine_label", "y")


def label_column(names: Sequence[str], where: str) -> str:
    """The first column with a label's usual name, or the only one.

    Raises:
        InputError: There is none, or it is not clear which.

    >>> label_column(["id", "label"], "data")
    'label'
    """
    usual = [name for name in LABELS if name in names]
    if usual:
        return usual[0]
    if len(names) == 1:
        return names[0]
    given = ", ".join(names) or "(none)"
    raise InputError(f"{where}: none of the columns {given} is called label; say which: data.label=...")


def check_column(name: str, names: Sequence[str], where: str, role: str) -> None:
    """Check that a table has the column that `data.image` or `data.label`, the role, says.

    Raises:
        InputError: It has not.
    """
    if name not in names:
        raise InputError(f"{where}: no column data.{role}={name}{did_you_mean(name, names)}; it has {', '.join(names)}")


def class_labels(values: Sequence[object], names: Sequence[str] | None, where: str) -> tuple[Labels, tuple[str, ...]]:
    """Turn a column's values into class indices and the classes' names.

    Args:
        values: Whole numbers from 0, or names.
        names: Of the classes where the values are numbers and the data knows; None: the numbers are the names.
        where: For messages.

    Raises:
        InputError: A value is missing, not a label, or out of range.

    >>> class_labels(["dog", "cat", "dog"], None, "data")
    (array([1, 0, 1]), ('cat', 'dog'))
    """
    if values and all(isinstance(value, str) for value in values):
        classes = tuple(sorted({str(value) for value in values}))
        index = {name: label for label, name in enumerate(classes)}
        return np.array([index[str(value)] for value in values], dtype=np.int64), classes
    wrong = next((value for value in values if isinstance(value, bool) or not isinstance(value, int)), None)
    if wrong is not None or None in values:
        raise InputError(f"{where}: the label {wrong!r} is neither a whole number nor a name like the others")
    labels = np.array(values, dtype=np.int64)
    count = len(names) if names else int(labels.max(initial=-1)) + 1
    if len(labels) and (labels.min() < 0 or labels.max() >= count):
        out = labels[(labels < 0) | (labels >= count)][0]
        raise InputError(f"{where}: the label {out} is out of range; the classes are 0..{count - 1}")
    return labels, tuple(names or (str(label) for label in range(count)))


def labelled(parts: Mapping[str, Sequence[object]]) -> tuple[list[str], tuple[str, ...]]:
    """Which parts have labels, and notes on those that have none: a published test part often holds -1 throughout.

    >>> labelled({"train": [0, 1], "test": [-1, -1]})
    (['train'], ("the part 'test' has no labels (all are -1) and was left out",))
    """
    without = [part for part, values in parts.items() if part != "train" and len(values) and set(values) == {-1}]
    notes = tuple(f"the part '{part}' has no labels (all are -1) and was left out" for part in without)
    return [part for part in parts if part not in without], notes


class Places(TypedDict):
    """The fields of a `Collection` that say which image is which."""

    names: Sequence[str]
    found: Mapping[str, Labels]


def in_turn(sizes: Mapping[str, int]) -> Places:
    """Names and places of images that lie part after part.

    >>> in_turn({"train": 2, "test": 1})["names"]
    ['train[0]', 'train[1]', 'test[0]']
    """
    names = [f"{part}[{row}]" for part, size in sizes.items() for row in range(size)]
    return {"names": names, "found": part_after_part(sizes)}
