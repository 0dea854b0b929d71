"""What is measured: everything a space needs, often enough, and what a failure proves."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.latency.design import CELLS, FEW, SIGHTINGS, cells_of, cover, suspects


def conv(channels: int, *, px: int = 14, kernel: int = 1) -> str:
    return f"conv 16>{channels} {px}px k{kernel} relu"


SMALL = [conv(16 * i, px=7) for i in range(2, 2 + FEW)]
LARGE = [conv(16 * i) for i in range(2, 40)]


def test_kernels_of_a_small_family_are_seen_one_by_one() -> None:
    assert cells_of([SMALL], set()) == [SMALL]


def test_a_large_family_is_seen_by_cells() -> None:
    (cells,) = cells_of([LARGE], set())
    assert len(cells) == CELLS
    each = [cells_of([[key], LARGE], set())[0] for key in LARGE]
    assert all(len(found) == 1 for found in each)
    assert sorted({found[0] for found in each}) == sorted(cells)
    assert each[0] == each[1] != each[-1]
    assert max(Counter(found[0] for found in each).values()) <= 2 * len(LARGE) / CELLS


@pytest.mark.parametrize("other", [conv(48, px=28), conv(48, kernel=3), conv(48).replace("relu", "swish")])
def test_cells_of_other_families_are_others(other: str) -> None:
    (cells,) = cells_of([[*LARGE, other]], set())
    assert cells[-1] == other
    assert len(cells) == CELLS + 1


def test_what_is_known_is_not_wanted_and_leaves_its_family() -> None:
    assert cells_of([SMALL, SMALL[:2]], set(SMALL[:3])) == [SMALL[3:], []]
    assert cells_of([LARGE], set(LARGE[FEW:])) == [LARGE[:FEW]]
    assert cells_of([], set()) == []


def test_a_kernel_used_twice_is_shown_once() -> None:
    assert cells_of([[SMALL[0], SMALL[1], SMALL[0]]], set()) == [SMALL[:2]]


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=4, unique=True), max_size=12),
    st.integers(0, 14),
)
def test_everything_shown_is_covered_and_the_count_is_kept(shown: list[list[str]], count: int) -> None:
    chosen = cover(shown, count=count)
    assert len(set(chosen)) == len(chosen)
    seen = Counter(name for i in chosen for name in shown[i])
    assert set(seen) == {name for names in shown for name in names}
    assert len(chosen) >= min(count, len(shown))
    if len(chosen) > count:  # only what had to be
        assert all(any(seen[name] == 1 for name in shown[i]) for i in chosen[-1:])
    if len(chosen) < count or count == len(shown):
        assert len(chosen) == len(shown)


def test_everything_is_seen_twice_where_the_count_allows_it() -> None:
    shown = [["a", "b"], ["a"], ["b"], ["c"], ["c"], ["c"], ["d"]]
    assert len(cover(shown, count=0)) == 3
    twice = cover(shown, count=6)
    assert len(twice) == 6
    seen = Counter(name for i in twice for name in shown[i])
    assert {name: seen[name] >= SIGHTINGS for name in "abc"} == dict.fromkeys("abc", True)
    assert seen["d"] == 1


def test_the_widest_networks_come_first_and_ties_in_order() -> None:
    assert cover([["a"], ["a", "b"], ["b"], ["a", "b"]], count=1) == [1]
    assert cover([["a"], [], ["b"]], count=3) == [0, 2, 1]


def test_only_what_never_ran_is_suspect() -> None:
    networks = [["a", "b", "c"], ["a", "d"], ["c", "e", "e"], ["b"]]
    assert suspects(networks, {0: "crash", 2: "hang"}) == {"c": "crash", "e": "hang"}
    assert suspects(networks, {}) == {}
    assert suspects(networks, dict.fromkeys(range(4), "x")).keys() == set("abcde")
