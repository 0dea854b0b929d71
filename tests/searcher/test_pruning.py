"""Early stopping is a pure function of learning curves."""

from __future__ import annotations

import pytest

from nas.errors import InputError
from nas.searcher import Pruner

RISING = [(0.1 * i, 0.1 * i + 0.3) for i in range(1, 7)]


def test_the_worse_half_is_stopped() -> None:
    pruner = Pruner(kept_share=0.5, first=5)
    assert [pruner([accuracy], RISING) for accuracy in (0.1, 0.3, 0.4, 0.6)] == [True, True, False, False]
    assert pruner([0.7, 0.1], RISING) is False  # the best that it had so far counts


def test_the_first_are_trained_to_the_end() -> None:
    assert not Pruner(first=7)([0.0], RISING)
    assert not Pruner()([0.0], [])


def test_those_that_were_stopped_are_no_measure() -> None:
    stopped = [(0.0,)] * 20
    assert Pruner()([0.2], [*RISING, *stopped])


def test_a_share_of_one_stops_none() -> None:
    assert not Pruner(kept_share=1.0)([0.0], RISING)


@pytest.mark.parametrize("change", [{"kept_share": 0.0}, {"kept_share": 1.1}, {"first": 0}])
def test_values_out_of_range(change) -> None:
    with pytest.raises(InputError, match=r"accuracy\.(kept_share|first) = "):
        Pruner(**change)
