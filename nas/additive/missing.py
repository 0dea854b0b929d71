"""The rows that a table still lacks, and which of them one network could have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

Row = tuple[int, ...]
Options = tuple[int, ...]


class Missing:
    """Rows not seen yet, each with options (indices) of a table's closure with which a network has that row.

    >>> missing = Missing({(0, 1): (0, 5), (1, 1): (1, 5), (1, 2): (1, 6)})
    >>> missing.discard((1, 1))
    >>> len(missing), missing.first([(0, 1)]), missing.first([(0, 1), (1, 5)])
    (2, ((1, 2), (1, 6)), None)
    """

    def __init__(self, rows: Mapping[Row, Options]) -> None:
        self._rows = tuple(rows)
        self._places = {row: place for place, row in enumerate(rows)}
        self._options = np.asfortranarray(list(rows.values()), dtype=np.int64)  # (rows, decisions of the closure)
        self._left = np.ones(len(rows), dtype=bool)

    def __len__(self) -> int:
        return len(self._places)

    def discard(self, row: Row) -> None:
        """Take a row for seen, or give it up."""
        place = self._places.pop(row, None)
        if place is not None:
            self._left[place] = False

    def first(self, bound: Iterable[tuple[int, int]]) -> tuple[Row, Options] | None:
        """The first row whose options at some positions of the closure are the given ones."""
        fits = self._left.copy()
        for position, option in bound:
            fits &= self._options[:, position] == option
        place = int(fits.argmax())
        return (self._rows[place], tuple(self._options[place].tolist())) if fits[place] else None
