from __future__ import annotations

import random
from typing import Any

import pytest

from nas.arch import Act, Builder, digest
from nas.errors import InputError
from nas.searcher.choice_space import AdditiveLatency, ChoiceSpace, latency_ms, network_key
from nas.searcher.feasible import feasible_set
from nas.searcher.nearby import price
from nas.space import Choices, decisions, largest, record, smallest, uniform

BLOCKS = {f"b{i}": ("skip", "k3", "k5") for i in range(8)}


def canonical(choices: Choices) -> list[str]:
    """Skips at the end of a half move nothing: sort them there."""
    names = list(choices.values())
    return [str(x) for half in (names[:4], names[4:]) for x in sorted(half, key=lambda x: x == "skip")]


def test_a_tabular_benchmark_is_a_few_lines() -> None:
    space = ChoiceSpace("macro", BLOCKS, key=canonical)
    latency = AdditiveLatency({name: {"skip": 0.0, "k3": 1.0, "k5": 1.5} for name in BLOCKS}, base_ms=0.5)
    found = feasible_set(space, latency)
    assert found.count(float("inf")) == 3**8
    assert found.count(0.5) == 1
    choices = found.sample(random.Random(0), low_ms=3.0, high_ms=4.0)
    assert choices is not None
    assert 3.0 <= latency(choices) <= 4.0


def test_choices_are_what_is_evaluated_unless_build_says_otherwise() -> None:
    built, choices = record(ChoiceSpace("plain", BLOCKS), largest)
    assert built == choices == dict.fromkeys(BLOCKS, "k5")
    built, _ = record(ChoiceSpace("text", BLOCKS, "".join), smallest)
    assert built == "".join(BLOCKS)


def test_a_space_of_choices_has_all_its_decisions() -> None:
    assert decisions(ChoiceSpace("plain", BLOCKS)) == BLOCKS


def test_equivalent_networks_share_their_key_and_others_do_not() -> None:
    space: ChoiceSpace = ChoiceSpace("macro", BLOCKS, key=canonical)
    one = {**dict.fromkeys(BLOCKS, "k3"), "b0": "skip"}
    same = {**dict.fromkeys(BLOCKS, "k3"), "b2": "skip"}
    other = {**dict.fromkeys(BLOCKS, "k3"), "b4": "skip"}
    assert network_key(space, one, one) == network_key(space, same, same) != network_key(space, other, other)
    plain = ChoiceSpace("plain", BLOCKS)
    assert network_key(plain, one, one) != network_key(plain, same, same)


def test_an_arch_is_known_by_its_digest() -> None:
    def build(choices: Choices) -> Any:
        net = Builder(size_px=8, image_channels=1)
        x = net.conv("stem", "image", net.width("stem", int(choices["width"])), act=Act.RELU)
        return net.classify(net.pool("pool", x), classes=int(choices["classes"]))

    space = ChoiceSpace("archs", {"width": (8, 16), "classes": (2,)}, build)
    arch, choices = record(space, largest)
    assert network_key(space, arch, choices) == digest(arch)


def test_an_additive_latency_reads_choices_whatever_is_built() -> None:
    space = ChoiceSpace("lengths", {"a": (1, 2), "b": (1, 2)}, str)
    latency = AdditiveLatency({"a": {1: 1.0, 2: 2.0}}, base_ms=0.25)
    assert price(space, largest, latency).latency_ms == 2.25
    assert latency_ms(len, "four", {}) == 4
    assert feasible_set(space, latency).slowest().latency_ms == 2.25


def test_a_callable_over_choices_is_taken_apart() -> None:
    space = ChoiceSpace("pairs", BLOCKS)

    def ms(choices: dict[str, str]) -> float:
        names = list(choices.values())
        return 1 + sum(len(name) * (1 + (i % 3)) for i, name in enumerate(names)) + 2 * (names[0] == names[1] == "k5")

    found = feasible_set(space, ms)
    assert found.additive
    rng = random.Random(0)
    for _ in range(50):
        choices = {name: rng.choice(options) for name, options in BLOCKS.items()}
        assert found.price(choices) == pytest.approx(ms(choices))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no decisions"),
        ({"a": ()}, "no options"),
        ({"a": (1, 1)}, "twice"),
        ({"a": (None,)}, "must be a string"),
        ({"a": (float("nan"),)}, "must be a string"),
    ],
)
def test_a_malformed_space_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ChoiceSpace("bad", given)


@pytest.mark.parametrize("ms", [float("nan"), float("inf"), "3", None])
def test_a_price_that_is_no_number_is_refused(ms: Any) -> None:
    with pytest.raises(InputError, match="must be a finite number"):
        AdditiveLatency({"a": {1: ms}})
    with pytest.raises(InputError, match="must be a finite number"):
        AdditiveLatency({}, base_ms=ms)


def test_an_option_without_a_price_is_named() -> None:
    space = ChoiceSpace("macro", BLOCKS)
    latency = AdditiveLatency({"b0": {"skip": 0.0, "k3": 1.0}}, base_ms=1.0)
    with pytest.raises(InputError, match="'b0' = 'k5'"):
        feasible_set(space, latency)


def test_a_table_of_a_decision_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'b0'"):
        feasible_set(ChoiceSpace("macro", BLOCKS), AdditiveLatency({"b00": {"skip": 1.0}}, base_ms=1.0))


def test_a_key_that_json_cannot_write_is_refused() -> None:
    space = ChoiceSpace("macro", BLOCKS, key=set)
    built, choices = record(space, uniform(random.Random(0)))
    with pytest.raises(InputError, match="cannot be written as JSON"):
        network_key(space, built, choices)
