"""Found networks beside hand-designed ones that take equally long on the target, all trained alone by one recipe.

Networks are compared at equal latency, so a found one fills its budget: it is the best by the supernet's scores of many
random ones that use nearly all of it. (The product's search would stop earlier here: scores are flat above 0.08 ms.)
A family's width multiplier is chosen by measured latency. For images of 32 px it may keep its first stride at 1, as is
usual; whether it does is chosen for each family by one training at the middle budget, so that it shows its best. A
family that is slower than the found network at any width is raced all the same, with its fastest member.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType
from typing import Any

import numpy as np
from medians import medians_ms
from supernet_bench import Bench
from supernet_truth import SEEDS, drawn_members

from nas.accuracy import accuracy
from nas.arch import Arch, cost, digest
from nas.convert import build
from nas.errors import InputError
from nas.latency.measure import measure_space, model_of
from nas.net import Network
from nas.progress import silent
from nas.space import Choices, replay
from nas.training import fine_tune
from search_spaces.lcnet import pp_lcnet
from search_spaces.mobilenet_v2 import mobilenet_v2
from search_spaces.mobilenet_v3_designs import mobilenet_v3_large, mobilenet_v3_small
from search_spaces.shufflenet_v2 import shufflenet_v2

FAMILIES: Mapping[str, Callable[..., Arch]] = MappingProxyType(
    {
        "mobilenet_v2": mobilenet_v2,
        "mobilenet_v3_small": mobilenet_v3_small,
        "mobilenet_v3_large": mobilenet_v3_large,
        "shufflenet_v2": shufflenet_v2,
        "pp_lcnet": pp_lcnet,
    }
)
FOUND = "found"
PLACES = (0.83, 0.9, 0.97)  # of the budgets on the truth's latency range, by ratio: below, rivals have no channels left
FILLED = 0.97  # share of a budget that a found network uses at least, as predicted
TOTAL_STRIDES = (16, 32)  # image over last feature map: 8, usual for 32 px, is out of reach of the rivals here
WIDTHS = tuple(round(0.05 * 1.025**step, 4) for step in range(140))  # 0.05 to 1.5
MOST_MACS = 25e6  # of a rival that is timed at all
CANDIDATES = 6  # widths of a family that are timed beside a found network
PILOT_ROUNDS, ROUNDS = 15, 120
EQUAL = 0.05  # latencies that differ by no more than this share are near enough to choose a stride by accuracy


@dataclass(frozen=True, kw_only=True, slots=True)
class Rival:
    """A network and what it took in the session in which those of its budget were timed.

    Attributes:
        width, total_stride: What makes it in its family.
        choices: What makes a found one in the space.
    """

    budget_ms: float
    network: str
    measured_ms: float
    width: float = 1.0
    total_stride: int = 0
    choices: dict[str, int | float | str] | None = None

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """A network of a family and the milliseconds that it takes."""

    network: str
    total_stride: int
    width: float
    arch: Arch
    ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The network of a budget and the milliseconds that it takes, in the session of the families."""

    budget_ms: float
    arch: Arch
    choices: Choices
    ms: float


def rivals(bench: Bench) -> dict[str, Any]:
    """Race them; a row a network, budget and seed."""
    timed = bench.once("timed", "rivals", lambda: [rival.plain() for rival in _timed(bench)])
    every = [build(Rival, row) for row in timed]
    best = _best_strides(bench, every)
    raced = [rival for rival in every if rival.network == FOUND or best[rival.network] == rival.total_stride]
    rows = [
        rival.plain() | {"seed": seed, "accuracy": _trained(bench, rival, seed)} for rival in raced for seed in SEEDS
    ]
    return {"rivals": rows, **_verdict(rows)}


def _verdict(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How many rivals are better than the found network of their budget, in the mean over seeds."""
    mean: dict[tuple[float, str], float] = {}
    for row in rows:
        key = (row["budget_ms"], row["network"])
        mean[key] = mean.get(key, 0.0) + row["accuracy"] / len(SEEDS)
    leads = [mean[budget, FOUND] - value for (budget, name), value in mean.items() if name != FOUND]
    found_ms = {row["budget_ms"]: row["measured_ms"] for row in rows if row["network"] == FOUND}
    apart = [abs(row["measured_ms"] / found_ms[row["budget_ms"]] - 1) for row in rows]
    return {
        "rivals_above": sum(lead <= 0 for lead in leads),
        "least_lead_points": 100 * min(leads),
        "rivals_latency_apart_pct": 100 * max(apart),
    }


def _timed(bench: Bench) -> list[Rival]:
    """Found networks of three budgets and, of each family and stride, the width nearest in measured latency."""
    target = bench.settings.target
    plan = bench.size.plan or bench.settings.latency
    model = model_of(measure_space(bench.space, target, plan, known=None, seed=0, progress=silent), bench.space)
    priced = [model.arch_ms(arch) for arch in bench.archs]
    low, high = min(priced), max(priced)
    budgets_ms = [low * (high / low) ** place for place in PLACES]
    drawn = [(model.arch_ms(arch), arch, choices) for arch, choices in drawn_members(bench.space, Random(0)).values()]
    found = []
    for budget_ms in budgets_ms:
        filling = [(arch, choices) for ms, arch, choices in drawn if FILLED * budget_ms <= ms <= budget_ms]
        found.append(_best(bench, filling))
    members = [member for name in FAMILIES for stride in TOTAL_STRIDES for member in _members(name, stride)]
    archs = [arch for arch, _ in found] + [member.arch for member in members]
    # in one session: a machine's level changes from one to the next
    ms = medians_ms(target, archs, rounds=PILOT_ROUNDS)
    timed = [replace(member, ms=own_ms) for member, own_ms in zip(members, ms[len(found) :], strict=True)]
    return [
        rival
        for budget_ms, (arch, choices), own_ms in zip(budgets_ms, found, ms, strict=False)
        for rival in _of_equal_latency(bench, timed, Found(budget_ms=budget_ms, arch=arch, choices=choices, ms=own_ms))
    ]


def _best(bench: Bench, members: list[tuple[Arch, Choices]]) -> tuple[Arch, Choices]:
    """The member with the best score of the first ones."""
    evaluator, members = bench.blended(SEEDS[0]), members[: bench.size.trials]
    scores = evaluator.scores([arch for arch, _ in members])
    return members[int(np.argmax(scores))]


def _members(name: str, total_stride: int) -> list[Timed]:
    """Every different network of a family, by width multiplier, not timed yet."""
    found: dict[str, Timed] = {}
    for width in WIDTHS:
        try:
            arch = _member(name, width, total_stride)
        except InputError:  # a width that leaves no channels
            continue
        if cost(arch).macs <= MOST_MACS:
            member = Timed(network=name, total_stride=total_stride, width=width, arch=arch, ms=math.nan)
            found.setdefault(digest(arch), member)
    return list(found.values())


def _of_equal_latency(bench: Bench, members: Sequence[Timed], found: Found) -> list[Rival]:
    """A found network and, of each family and stride, the member nearest to it: one session, in shuffled rounds."""
    budget_ms = found.budget_ms
    options = [(Rival(budget_ms=budget_ms, network=FOUND, measured_ms=0.0, choices=found.choices), found.arch)]
    for kind in dict.fromkeys((member.network, member.total_stride) for member in members):
        own = [member for member in members if (member.network, member.total_stride) == kind]
        own.sort(key=lambda member: abs(math.log(member.ms / found.ms)))
        options += [
            (
                Rival(
                    budget_ms=budget_ms,
                    network=one.network,
                    measured_ms=0.0,
                    width=one.width,
                    total_stride=one.total_stride,
                ),
                one.arch,
            )
            for one in own[:CANDIDATES]
        ]
    ms = medians_ms(bench.settings.target, [arch for _, arch in options], rounds=ROUNDS)
    nearest: dict[tuple[str, int], tuple[float, Rival]] = {}
    for (rival, _), own_ms in zip(options, ms, strict=True):
        key, apart = (rival.network, rival.total_stride), abs(math.log(own_ms / ms[0]))
        timed = replace(rival, measured_ms=own_ms)
        nearest[key] = min(nearest.get(key, (math.inf, timed)), (apart, timed), key=lambda pair: pair[0])
    return [rival for _, rival in nearest.values()]


def _member(name: str, width: float, total_stride: int) -> Arch:
    return FAMILIES[name](width=width, size_px=32, image_channels=3, classes=10, total_stride=total_stride)


def _best_strides(bench: Bench, every: list[Rival]) -> dict[str, int]:
    """Of each family the stride to race: where several reach the middle budget's latency, the best on validation."""
    middle_ms = sorted({rival.budget_ms for rival in every})[len(PLACES) // 2]
    (found,) = (rival for rival in every if rival.budget_ms == middle_ms and rival.network == FOUND)
    best: dict[str, int] = {}
    for name in FAMILIES:
        own = [rival for rival in every if rival.budget_ms == middle_ms and rival.network == name]
        own.sort(key=lambda rival: abs(math.log(rival.measured_ms / found.measured_ms)))
        equal = [rival for rival in own if abs(rival.measured_ms / found.measured_ms - 1) <= EQUAL]
        if len(equal) > 1:
            equal.sort(key=lambda rival: -_trained(bench, rival, SEEDS[0], validation=True))
        best[name] = (equal or own)[0].total_stride
    return best


def _trained(bench: Bench, rival: Rival, seed: int, *, validation: bool = False) -> float:
    """Accuracy of a network trained alone, on the test images unless told otherwise."""

    def train() -> list[float]:
        arch = (
            bench.space.build(replay(rival.choices))
            if rival.choices
            else _member(rival.network, rival.width, rival.total_stride)
        )
        network = fine_tune(Network(arch, seed=seed), bench.dataset, bench.recipe, seed=seed, device=bench.device)
        return [accuracy(network, split, bench.dataset) for split in (bench.dataset.val, bench.dataset.test)]

    key = f"{rival.budget_ms:.5f} {rival.network} stride {rival.total_stride} width {rival.width} seed {seed}"
    on_validation, on_test = bench.once("raced", key, train)
    return float(on_validation if validation else on_test)
