from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.convert import build
from nas.errors import InputError


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.share > 1:
            raise ValueError("share must not exceed 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outer:
    count: int
    ratio: float = 1.0
    on: bool = False
    text: str = ""
    path: Path = Path()
    maybe: float | None = None
    either: int | str = 0
    colour: Colour = Colour.RED
    device: Literal["cpu", "cuda"] = "cpu"
    sizes: tuple[int, ...] = ()
    pair: tuple[int, float] = (1, 1.0)
    inner: Inner = field(default_factory=Inner)
    inners: tuple[Inner, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def test_every_kind_of_field() -> None:
    data = {
        "count": 3,
        "ratio": 2,
        "on": True,
        "text": "a",
        "path": "x/y",
        "maybe": None,
        "either": "word",
        "colour": "blue",
        "device": "cuda",
        "sizes": [1, 2],
        "pair": [2, 3],
        "inner": {"share": 1},
        "inners": [{}, {"share": 0.25}],
        "options": {"a": [1]},
    }
    made = build(Outer, data)
    assert made == Outer(
        count=3,
        ratio=2.0,
        on=True,
        text="a",
        path=Path("x/y"),
        either="word",
        colour=Colour.BLUE,
        device="cuda",
        sizes=(1, 2),
        pair=(2, 3.0),
        inner=Inner(share=1.0),
        inners=(Inner(), Inner(share=0.25)),
        options={"a": [1]},
    )
    assert isinstance(made.ratio, float)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "top.count is not set"),
        ({"count": "???"}, "top.count is not set"),
        ({"count": 1.5}, "top.count = 1.5: expected a whole number"),
        ({"count": True}, "top.count = True: expected a whole number"),
        ({"count": 1, "ratio": "1"}, "top.ratio = '1': expected a number"),
        ({"count": 1, "ratio": False}, "top.ratio = False: expected a number"),
        ({"count": 1, "ratio": float("nan")}, "top.ratio = nan: expected a finite number"),
        ({"count": 1, "ratio": float("inf")}, "expected a finite number"),
        ({"count": 1, "ratio": 10**400}, "expected a finite number"),
        ({"count": 1, "maybe": "x"}, "top.maybe = 'x': expected a number"),
        ({"count": 1, "on": 1}, "top.on = 1: expected true or false"),
        ({"count": 1, "text": 1.5}, "top.text = 1.5: expected text"),
        ({"count": 1, "colour": "bleu"}, r"expected one of red, blue \(did you mean 'blue'\?\)"),
        ({"count": 1, "device": "cdua"}, r"did you mean 'cuda'"),
        ({"count": 1, "sizes": 1}, "top.sizes = 1: expected a list"),
        ({"count": 1, "sizes": ["a"]}, r"top.sizes\[0\] = 'a': expected a whole number"),
        ({"count": 1, "pair": [1]}, "expected a list of 2"),
        ({"count": 1, "inner": {"shar": 1}}, r"unknown key 'top.inner.shar' \(did you mean 'share'\?\)"),
        ({"count": 1, "inner": {"share": 2}}, "top.inner: share must not exceed 1"),
        ({"count": 1, "inner": 3}, r"top.inner = 3: expected a group of keys \(share\)"),
        ({"count": 1, "inners": [{}, {"share": "x"}]}, r"top.inners\[1\].share"),
        ({"count": 1, "options": []}, "expected a group of keys"),
        ({"cuont": 1}, r"unknown key 'top.cuont' \(did you mean 'count'\?\)"),
    ],
)
def test_bad_input_names_key_value_and_expectation(data: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(Outer, data, "top")


def test_given_fields_are_filled_and_cannot_be_set() -> None:
    assert build(Outer, {}, given={"count": 4}).count == 4
    with pytest.raises(InputError, match="unknown key 'count'"):
        build(Outer, {"count": 1}, given={"count": 4})


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*Outer.__annotations__, "other"]), plain, max_size=4))
def test_any_plain_data_is_converted_or_refused(data: dict[str, object]) -> None:
    try:
        made = build(Outer, {"count": 1, **data})
    except InputError:
        return
    assert isinstance(made.count, int)
    assert isinstance(made.ratio, float)
    assert isinstance(made.sizes, tuple)
