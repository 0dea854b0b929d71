"""The report's rows stay field for field what the rooms below hand over."""

import dataclasses

from nas.netadapt.checkpoint import Move
from nas.results import MoveRow


def names(kind):
    return [field.name for field in dataclasses.fields(kind)]


def test_moves():
    assert names(MoveRow) == names(Move)
