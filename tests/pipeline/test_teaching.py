"""Whether a network has a teacher."""

from __future__ import annotations

import pytest

from nas.net import Network
from nas.pipeline.teaching import teacher_of
from search_spaces.catalogue import NETWORKS


def network() -> Network:
    return Network(NETWORKS["mobilenet_v3_small"](size_px=32))


@pytest.mark.parametrize(
    ("wanted", "before", "heard"),
    [("auto", 0.895, False), ("auto", 0.89, True), ("auto", None, True), ("always", 0.95, True)],
)
def test_a_teacher_is_heard_where_it_leads_or_is_wanted(wanted, before, heard) -> None:
    teacher, told = teacher_of("the large one", wanted=wanted, score=0.9, before=before, make=network)
    assert (teacher is not None) == heard
    assert told == ("the large one, 90.0%" if heard else "none, the large one's 90.0% lead by less than a point")
    assert teacher is None or not teacher.training
