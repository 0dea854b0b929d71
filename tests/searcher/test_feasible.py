from __future__ import annotations

import functools
import math
import pickle
import random
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.arch import Arch, Op
from nas.errors import InputError
from nas.latency.kernels import fused_kernels
from nas.latency.model import Share
from nas.searcher.choice_space import AdditiveLatency, ChoiceSpace
from nas.searcher.feasible import FeasibleSet, feasible_set
from nas.space import Choose
from search_spaces.mobilenet_v3 import MobileNetV3Space, StageSpace
from tests.searcher.enumeration import everything


class KernelTable:
    """Milliseconds from a formula of the kernel's numbers with a kernel's own whim; sees layers as our models do."""

    def breakdown(self, arch: Arch) -> tuple[Share, ...]:
        return tuple(
            Share(layer=kernel.layers[0], kernel=kernel.key, ms=_ms(kernel.op, kernel.key))
            for kernel in fused_kernels(arch)
        )

    def arch_ms(self, arch: Arch) -> float:
        return sum(share.ms for share in self.breakdown(arch))

    __call__ = arch_ms


def _ms(op: Op, key: str) -> float:
    macs = op.in_channels * op.out_channels // op.groups * op.kernel[0] ** 2 * op.out_px**2
    return (1 + macs / 5000) * (1 + zlib.crc32(key.encode()) % 100 / 200) / 1000


def tiny(**changes: object) -> MobileNetV3Space:
    stages = (
        StageSpace(widths=(8, 16), depths=(1, 2), stride=1),
        StageSpace(widths=(16, 24), depths=(1, 2), stride=2),
    )
    options: dict[str, Any] = {
        "name": "tiny",
        "image_channels": 1,
        "classes": 10,
        "sizes_px": (8, 12),
        "stem_widths": (8, 16),
        "stem_stride": 2,
        "stages": stages,
        "kernels": (3,),
        "expansions": (2.0,),
        "se": (False, True),
        "acts": ("relu",),
        "head_expansions": (2,),
        "feature_widths": (0,),
    }
    return MobileNetV3Space(**{**options, **changes})


class Nested:
    """Operations with parameters of their own, and blocks that exist from some depth on."""

    name = "nested"

    def build(self, choose: Choose) -> tuple[tuple[str, tuple[object, ...]], ...]:
        width = choose("width", (8, 16, 32))
        layers: list[tuple[str, tuple[object, ...]]] = [("stem", (width,))]
        for i in range(int(choose("depth", (1, 2, 3)))):
            op = choose(f"{i}.op", ("pool", "conv", "skip"))
            if op == "conv":
                kernel = choose(f"{i}.kernel", (1, 3, 5))
                groups = choose(f"{i}.groups", (1, 2)) if kernel != 1 else 1
                layers.append((f"{i}.conv", (width, kernel, groups)))
            if op == "pool":
                layers.append((f"{i}.pool", (choose(f"{i}.size", (2, 3)),)))
        return tuple(layers)


class NestedTable:
    """A price a layer, from its parameters."""

    def breakdown(self, layers: tuple[tuple[str, tuple[object, ...]], ...]) -> list[Share]:
        return [Share(layer=layer[0], kernel="", ms=zlib.crc32(repr(layer).encode()) % 997 / 100) for layer in layers]

    def total(self, layers: tuple[tuple[str, tuple[object, ...]], ...]) -> float:
        return sum(share.ms for share in self.breakdown(layers))

    __call__ = total


def check_against_enumeration(found: FeasibleSet, latency: Callable[[Any], float]) -> list[float]:
    """Prices, extremes, counts at every quantile."""
    assert found.additive
    members = [(choices, latency(built)) for built, choices in everything(found.space)]
    prices = sorted(ms for _, ms in members)
    for choices, ms in members[:: max(1, len(members) // 200)]:
        assert found.price(choices) == pytest.approx(ms)
    assert found.fastest().latency_ms == pytest.approx(prices[0])
    assert found.slowest().latency_ms == pytest.approx(prices[-1])
    assert found.count(math.inf) == len(prices)
    assert found.count(prices[0] * 0.999) == 0
    for budget in prices[:: max(1, len(prices) // 40)]:
        error = found.error_ms(budget) + 1e-9
        low, high = (sum(ms <= budget + off for ms in prices) for off in (-error, error))
        assert low <= found.count(budget) <= high
    return prices


@given(
    st.lists(st.lists(st.floats(0, 10), min_size=1, max_size=5), min_size=1, max_size=5),
    st.floats(0.01, 5),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=40)
def test_a_sum_over_decisions_agrees_with_enumeration(
    tables: list[list[float]], base_ms: float, rng: random.Random
) -> None:
    space = ChoiceSpace("sum", {f"d{i}": tuple(range(len(table))) for i, table in enumerate(tables)})
    latency = AdditiveLatency({f"d{i}": dict(enumerate(table)) for i, table in enumerate(tables)}, base_ms)
    found = feasible_set(space, latency)
    prices = check_against_enumeration(found, latency)
    low, high = sorted(rng.choice(prices) for _ in range(2))
    choices = found.sample(rng, low_ms=low, high_ms=high)
    assert choices is not None
    assert low <= latency(choices) <= high


@pytest.mark.parametrize("latency", [NestedTable(), functools.partial(NestedTable.total, NestedTable())])
def test_nested_conditions_agree_with_enumeration(latency: Callable[[Any], float]) -> None:
    check_against_enumeration(feasible_set(Nested(), latency), latency)


def test_a_mobilenet_space_agrees_with_enumeration() -> None:
    table = KernelTable()
    prices = check_against_enumeration(feasible_set(tiny(), table), table)
    assert len(prices) == 2**4 * (2 + 2**2) ** 2


def test_a_table_seen_through_its_total_only_agrees_with_enumeration() -> None:
    table = KernelTable()
    space = tiny(sizes_px=(8,), kernels=(3, 5), se=(False,))
    check_against_enumeration(feasible_set(space, functools.partial(KernelTable.arch_ms, table)), table)


def test_options_that_a_layer_does_not_tell_apart_agree_with_enumeration() -> None:
    table = KernelTable()
    stages = (StageSpace(widths=(8, 16), depths=(1,), stride=1), StageSpace(widths=(16, 24), depths=(1,), stride=2))
    space = tiny(kernels=(3, 5), expansions=(1.0, 2.0), stem_widths=(8,), stages=stages)
    prices = check_against_enumeration(feasible_set(space, table), table)
    assert len(prices) == 2**3 * 8**2


def test_networks_without_a_latency_are_left_out() -> None:
    class Gap(KernelTable):
        def breakdown(self, arch: Arch) -> tuple[Share, ...]:
            found = super().breakdown(arch)
            if any(share.kernel.startswith("se 48 2px") for share in found):
                raise InputError("no row for se 48 2px")
            return found

    space, table = tiny(), Gap()
    found = feasible_set(space, table)
    assert found.additive
    known = [ms for ms in map(_ms_or_none(table), everything(space)) if ms is not None]
    assert 0 < found.count(math.inf) == len(known)
    assert found.slowest().latency_ms == pytest.approx(max(known))


def _ms_or_none(table: KernelTable) -> Callable[[tuple[Any, object]], float | None]:
    def ms(member: tuple[Any, object]) -> float | None:
        try:
            return table.arch_ms(member[0])
        except InputError:
            return None

    return ms


def test_a_table_without_most_rows_is_an_error() -> None:
    class Empty(KernelTable):
        def breakdown(self, arch: Arch) -> tuple[Share, ...]:
            raise InputError("no row")

    with pytest.raises(InputError, match="no row"):
        feasible_set(tiny(), Empty())


def test_a_feasible_set_can_be_sent_to_a_worker() -> None:
    space = ChoiceSpace("sum", {"a": (1, 2), "b": (1, 2)})
    found = feasible_set(space, AdditiveLatency({"a": {1: 1.0, 2: 2.0}}, base_ms=1.0))
    assert pickle.loads(pickle.dumps(found)).count(2.0) == found.count(2.0) == 2  # noqa: S301


def test_a_method_of_a_model_is_read_layer_by_layer() -> None:
    found = feasible_set(tiny(), KernelTable().arch_ms)
    assert found.additive


@pytest.mark.parametrize("low_share", [0.0, 0.9])
def test_samples_are_uniform_in_the_band(low_share: float) -> None:
    space, latency = Nested(), NestedTable()
    found = feasible_set(space, latency)
    members = [(tuple(sorted(choices.items())), latency(built)) for built, choices in everything(space)]
    high = sorted(ms for _, ms in members)[60]
    inside = {key for key, ms in members if low_share * high <= ms <= high}
    rng = random.Random(0)
    draws = 40 * len(inside)
    seen: Counter[tuple[tuple[str, object], ...]] = Counter()
    for _ in range(draws):
        choices = found.sample(rng, low_ms=low_share * high, high_ms=high)
        assert choices is not None
        seen[tuple(sorted(choices.items()))] += 1
    assert set(seen) == inside
    chi_square = sum((seen[key] - 40) ** 2 / 40 for key in inside)
    freedom = len(inside) - 1
    assert chi_square < freedom + 4 * math.sqrt(2 * freedom)


def test_every_network_can_be_the_budget() -> None:
    space, latency = Nested(), NestedTable()
    found = feasible_set(space, latency)
    rng = random.Random(0)
    prices = sorted(latency(built) for built, _ in everything(space))
    for ms in prices[:: len(prices) // 50]:
        choices = found.sample(rng, low_ms=ms, high_ms=ms)
        assert choices is not None
        assert found.price(choices) == pytest.approx(ms)


def test_nothing_fits_below_the_fastest_or_above_the_slowest() -> None:
    found = feasible_set(Nested(), NestedTable())
    rng = random.Random(0)
    fastest, slowest = found.fastest().latency_ms, found.slowest().latency_ms
    assert found.count(fastest * 0.99) == 0
    assert found.count(fastest) >= 1
    assert found.sample(rng, low_ms=0, high_ms=fastest * 0.99) is None
    assert found.sample(rng, low_ms=slowest * 1.01, high_ms=slowest * 2) is None


def test_fixed_decisions_stay_fixed() -> None:
    space, latency = Nested(), NestedTable()
    found = feasible_set(space, latency)
    fixed = {"depth": 2, "1.op": "conv", "1.groups": 2}
    members = [
        latency(built)
        for built, choices in everything(space)
        if all(choices.get(name, option) == option for name, option in fixed.items())
    ]
    assert found.count(math.inf, fixed=fixed) == len(members)
    assert found.fastest(fixed).latency_ms == pytest.approx(min(members))
    assert found.slowest(fixed).latency_ms == pytest.approx(max(members))
    choices = found.sample(random.Random(0), low_ms=0, high_ms=max(members), fixed=fixed)
    assert choices is not None
    assert (choices["depth"], choices["1.op"], choices.get("1.groups", 2)) == (2, "conv", 2)


@pytest.mark.parametrize("fixed", [{"dept": 2}, {"depth": 9}])
def test_fixing_what_does_not_exist_is_refused(fixed: dict[str, int]) -> None:
    with pytest.raises(InputError, match="not one of the space's"):
        feasible_set(Nested(), NestedTable()).count(1.0, fixed=fixed)


def test_a_rare_dependence_is_found() -> None:
    """Only one combination of far apart decisions costs more: no single change at the first probes shows it."""
    decisions = {f"d{i}": (0, 1, 2, 3) for i in range(4)}

    class Rare:
        def breakdown(self, choices: dict[str, int]) -> list[Share]:
            extra = 5.0 if choices["d0"] == 1 and choices["d3"] == 2 else 0.0
            return [
                Share(layer=name, kernel="", ms=1.0 + value + (extra if name == "d3" else 0.0))
                for name, value in choices.items()
            ]

        def __call__(self, choices: dict[str, int]) -> float:
            return sum(share.ms for share in self.breakdown(choices))

    latency = Rare()
    check_against_enumeration(feasible_set(ChoiceSpace("rare", decisions), latency), latency)


def test_a_latency_that_is_no_sum_is_told_and_walked() -> None:
    space = ChoiceSpace("product", {f"d{i}": tuple(range(1, 5)) for i in range(12)})

    def product(choices: dict[str, int]) -> float:
        return math.prod(choices.values()) ** 0.25

    found = feasible_set(space, product)
    assert not found.additive
    with pytest.raises(InputError, match="not a sum"):
        found.count(1.0)
    assert found.fastest().latency_ms == 1.0
    assert found.price(found.slowest().choices) == pytest.approx(64.0)
    choices = found.sample(random.Random(0), low_ms=4.0, high_ms=6.0)
    assert choices is not None
    assert 4.0 <= product(choices) <= 6.0  # type: ignore[arg-type]
    fixed = {"d0": 4, "d5": 3}
    choices = found.sample(random.Random(0), low_ms=4.0, high_ms=6.0, fixed=fixed)
    assert choices is not None
    assert {**choices, **fixed} == choices
    assert found.fastest(fixed).latency_ms == pytest.approx(12**0.25)


def test_choices_of_no_network_have_no_price() -> None:
    found = feasible_set(Nested(), NestedTable())
    with pytest.raises(InputError, match="not a network"):
        found.price({"width": 8, "depth": 2, "0.op": "skip"})


def test_twenty_to_the_twentieth_networks_are_counted() -> None:
    decisions = {f"d{i}": tuple(range(20)) for i in range(20)}
    latency = AdditiveLatency({name: {i: 0.1 * i for i in range(20)} for name in decisions}, base_ms=1.0)
    found = feasible_set(ChoiceSpace("large", decisions), latency)
    assert found.count(math.inf) == pytest.approx(20**20, rel=1e-12)
    assert found.count(found.fastest().latency_ms) == 1
    choices = found.sample(random.Random(0), low_ms=2.0, high_ms=2.5)
    assert choices is not None
    assert 2.0 <= latency(choices) <= 2.5
