"""Tables found by building networks add up to the cost of every network."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from nas.additive.decomposition import Decomposition, holds, tabulate
from nas.additive.probing import Prober
from nas.additive.tables import TooWideError
from nas.errors import InputError
from nas.space import Choice, Choose
from tests.additive.nested import Layers, Nested, read, total
from tests.searcher.enumeration import everything


@pytest.fixture(scope="module")
def found() -> Decomposition:
    return tabulate(Prober(space=Nested(), read=read, rng=random.Random(0)))


def test_the_tables_add_up_to_the_cost_of_every_network(found: Decomposition) -> None:
    for layers, choices in everything(Nested()):
        assert found.price(choices) == total(layers, choices)
        assert found.choices(found.code(choices)) == choices
    assert holds(found, Nested(), total)


def test_a_decision_stands_after_those_it_hangs_on(found: Decomposition) -> None:
    assert found.names.index("depth") < found.names.index("1.op") < found.names.index("1.groups")
    absent = {name for name, values in zip(found.names, found.values, strict=True) if None in values}
    assert absent == set(found.names) - {"width", "depth", "0.op"}


def test_a_choice_that_does_not_exist_has_no_code(found: Decomposition) -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        found.code({"width": 9, "depth": 1, "0.op": "skip"})


def test_another_cost_does_not_hold(found: Decomposition) -> None:
    assert not holds(found, Nested(), lambda layers, choices: total(layers, choices) + 0.001)
    assert holds(found, Nested(), lambda layers, choices: total(layers, choices) + 0.001, tolerance=0.01)


def test_a_space_with_more_decisions_does_not_hold(found: Decomposition) -> None:
    class Deeper(Nested):
        def build(self, choose: Choose, /) -> Layers:
            return {**super().build(choose), "tail": (choose("width", (64,)),)}

    assert not holds(found, Deeper(), total)


def test_networks_without_a_cost_do_not_count(found: Decomposition) -> None:
    def cost(layers: Layers, choices: Mapping[str, Choice]) -> float:
        if choices["depth"] == 2:
            raise InputError("no row")
        return total(layers, choices)

    assert holds(found, Nested(), cost)


def test_a_cost_of_all_decisions_at_once_is_too_wide() -> None:
    class Wide:
        name = "wide"

        def build(self, choose: Choose, /) -> list[int]:
            return [int(choose(f"d{i}", (1, 2, 3))) for i in range(12)]

    def together(built: list[int]) -> dict[str, float]:
        return {"all": float(sum(3**i * value for i, value in enumerate(built)))}

    with pytest.raises(TooWideError):
        tabulate(Prober(space=Wide(), read=together, rng=random.Random(0)))


def test_a_cost_by_chance_is_no_sum() -> None:
    rng = random.Random(0)

    def noisy(layers: Layers) -> dict[str, float]:
        return {name: value + rng.choice((0, 0, 0, 1)) for name, value in read(layers).items()}

    with pytest.raises(TooWideError):
        tabulate(Prober(space=Nested(), read=noisy, rng=random.Random(0)))


def test_a_space_that_decides_by_chance_is_no_sum() -> None:
    rng = random.Random(0)

    class Moody(Nested):
        def build(self, choose: Choose, /) -> Layers:
            layers = super().build(choose)
            return layers if rng.random() < 0.9 else {"stem": layers["stem"]}

    with pytest.raises(TooWideError):
        tabulate(Prober(space=Moody(), read=read, rng=random.Random(0)))
