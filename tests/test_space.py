import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.arch import IMAGE, Builder
from nas.errors import InputError
from nas.space import decisions, largest, mutate, record, replay, smallest, typical, uniform

SEEDS = st.integers(0, 10_000)


class Stack:
    """A space whose later decisions exist only for deep networks."""

    name = "stack"

    def build(self, choose):
        net = Builder(size_px=8, image_channels=1)
        x = IMAGE
        for i in range(int(choose("depth", (1, 2, 3)))):
            width = net.width(f"w{i}", int(choose(f"b{i}.width", (8, 16))))
            x = net.conv(f"b{i}", x, width, kernel=int(choose(f"b{i}.kernel", (3, 5))))
        return net.classify(net.pool("pool", x), classes=2)


def test_the_ends_of_the_space():
    arch, choices = record(Stack(), largest)
    assert choices["depth"] == 3
    assert len(arch.layers) == 5
    assert record(Stack(), smallest)[1] == {"depth": 1, "b0.width": 8, "b0.kernel": 3}


@given(SEEDS)
def test_recorded_choices_rebuild_the_network(seed):
    arch, choices = record(Stack(), uniform(random.Random(seed)))
    assert record(Stack(), replay(choices)) == (arch, choices)
    assert len(choices) == 1 + 2 * choices["depth"]


def test_uniform_reaches_every_option():
    seen = [record(Stack(), uniform(random.Random(seed)))[1] for seed in range(60)]
    assert {choices["depth"] for choices in seen} == {1, 2, 3}
    assert {choices["b0.kernel"] for choices in seen} == {3, 5}


class Leaning(Stack):
    """The same, with a way of its own to draw members."""

    def typical(self, rng):
        return lambda _name, options: options[-1]


@given(SEEDS)
def test_typical_members_are_drawn_as_the_space_says_or_else_uniformly(seed):
    drawn = {space: record(space, typical(space, random.Random(seed))) for space in (Stack(), Leaning())}
    assert list(drawn.values()) == [record(Stack(), uniform(random.Random(seed))), record(Stack(), largest)]


def test_decisions_lists_every_name_with_its_options():
    found = decisions(Stack())
    assert found["depth"] == (1, 2, 3)
    assert found["b2.width"] == (8, 16)
    assert len(found) == 7


@given(SEEDS, st.data())
def test_mutation_changes_one_decision(seed, data):
    _, choices = record(Stack(), uniform(random.Random(seed)))
    options = decisions(Stack())
    name = data.draw(st.sampled_from(sorted(choices)))
    option = data.draw(st.sampled_from(options[name]))
    _, mutated = record(Stack(), mutate(choices, name, option, smallest))
    assert mutated[name] == option
    assert all(mutated[key] == value for key, value in choices.items() if key in mutated and key != name)


def test_mutation_asks_for_what_was_not_recorded():
    _, choices = record(Stack(), smallest)
    _, mutated = record(Stack(), mutate(choices, "depth", 2, largest))
    assert mutated == {"depth": 2, "b0.width": 8, "b0.kernel": 3, "b1.width": 16, "b1.kernel": 5}


def test_replay_names_what_is_missing_or_unknown():
    _, choices = record(Stack(), largest)
    with pytest.raises(InputError, match=r"choice 'depth' = 9 is not one of \[1, 2, 3\]"):
        record(Stack(), replay({**choices, "depth": 9}))
    misspelt = {("b1.with" if name == "b1.width" else name): value for name, value in choices.items()}
    with pytest.raises(InputError, match=r"did you mean 'b1\.with'"):
        record(Stack(), replay(misspelt))
