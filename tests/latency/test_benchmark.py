"""The benchmark's own arithmetic, on a clock that never jitters: `scripts/benchmark_latency.py` and what it imports."""

from __future__ import annotations

import dataclasses
import importlib
import json
import random
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from nas.arch import CLASSES, IMAGE, Arch, cost
from nas.formats.onnx import write_onnx
from nas.latency import measure
from nas.latency.kernels import fused_kernels
from nas.latency.session import Measured
from nas.space import largest, record, uniform
from tests.net.zoo import SPACE
from tests.pipeline import clock

SCRIPTS = Path(__file__).parents[2] / "scripts"
MODULES = (
    "bars",
    "latency_bars",
    "latency_baselines",
    "latency_spaces",
    "latency_searches",
    "latency_truth",
    "benchmark_latency",
)


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch):
    """The benchmark's modules, timing by the steady clock; gone from `sys.modules` afterwards."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    clock.install(monkeypatch)
    modules: dict[str, ModuleType] = {name: importlib.import_module(name) for name in MODULES}
    for module in modules.values():
        if hasattr(module, "measure_networks"):
            monkeypatch.setattr(module, "measure_networks", clock.measure_networks)
    yield modules
    for name in MODULES:
        del sys.modules[name]


@pytest.fixture
def archs() -> list[Arch]:
    rng = random.Random(0)
    return [SPACE.build(uniform(rng)) for _ in range(6)]


def clock_ms(archs) -> np.ndarray:
    return np.array([sum(clock.layers_us(arch).values()) / 1000 for arch in archs])


@pytest.mark.parametrize("group_of", ["layer_of", "block_of"])
def test_parts_make_up_the_network_and_run_alone(scripts, archs, group_of) -> None:
    baselines = scripts["latency_baselines"]
    for arch in archs[:2]:
        parts = baselines.parts_of(arch, getattr(baselines, group_of))
        assert sum(cost(part).macs for part in parts) == cost(arch).macs
        assert sum(len(part.layers) for part in parts) == len(arch.layers)
        assert all(write_onnx(part) for part in parts)
        for part, before in zip(parts[1:], parts, strict=False):
            assert part.widths[IMAGE] == before.ops()[-1].out_channels or len(before.layers[0].inputs) == 2


def test_blocks_hold_their_residual_sum(scripts) -> None:
    baselines = scripts["latency_baselines"]
    names = [
        [layer.name for layer in part.layers] for part in baselines.parts_of(SPACE.build(largest), baselines.block_of)
    ]
    assert ["stem"] in names
    assert any(own[-1] == "s1.b1.sum" and own[0] == "s1.b1.expand" for own in names)


def test_baselines_predict_what_they_can(scripts, archs) -> None:
    baselines, target = scripts["latency_baselines"], scripts["latency_truth"].TARGET
    for group_of in (baselines.layer_of, baselines.block_of):
        predicted_ms = baselines.summed(target, archs, group_of, rounds=2, seed=0)
        assert predicted_ms == pytest.approx(clock_ms(archs))
    exact_ms = np.array([2 + cost(arch).macs / 1e6 + 3 * cost(arch).traffic_bytes / 1e6 for arch in archs])
    assert baselines.regressed(archs[:2], archs, exact_ms) == pytest.approx(exact_ms[:2])
    assert baselines.macs(archs).tolist() == [cost(arch).macs for arch in archs]


def test_the_level_comes_from_the_anchors(scripts, archs) -> None:
    truth = scripts["latency_truth"].Truth(
        archs=tuple(archs[:4]),
        ms=clock_ms(archs[:4]),
        noise_pct=0.5,
        rounds=4,
        anchors=tuple(archs[4:]),
        anchor_ms=clock_ms(archs[4:]),
    )
    predicted_ms = truth.levelled(7 * truth.ms, 7 * truth.anchor_ms)
    assert truth.figures(predicted_ms)["mape_pct"] == pytest.approx(0)
    assert truth.figures(1.04 * predicted_ms)["within_5_pct"] == 100
    assert truth.figures(1.04 * predicted_ms)["mape_pct"] == pytest.approx(4)


def test_noisy_networks_are_measured_for_longer(scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    truth, seeds = scripts["latency_truth"], []

    def noisy(_target, archs, *, rounds, seed, **_others) -> Measured:
        seeds.append(seed)
        samples_us = (
            clock_ms(archs)[:, None] * 1000 * (1 + 0.2 * np.random.default_rng(seed).random((len(archs), rounds)))
        )
        return Measured(samples_us=samples_us, profiles=())

    size = truth.Size(networks=5, rounds=4, most_rounds=12)
    assert truth.measured(SPACE, size).rounds == 4
    monkeypatch.setattr(truth, "measure_networks", noisy)
    found = truth.measured(SPACE, size)
    assert (found.rounds, seeds) == (12, [0, 4, 8])
    assert found.noise_pct > truth.NOISE_PCT


def test_unseen_networks_are_no_anchors_and_no_twins(scripts) -> None:
    truth = scripts["latency_truth"]
    archs = truth.unseen(SPACE, 30, 1)
    assert len(archs) == 30
    assert archs == truth.unseen(SPACE, 30, 1) != truth.unseen(SPACE, 30, 2)
    assert len({truth.digest(arch) for arch in (*archs, *truth.anchors_of(SPACE, 5))}) == 35


def test_spaces_have_the_kernels_they_promise(scripts) -> None:
    spaces, rng = scripts["latency_spaces"], random.Random(0)
    counts = []
    for space in (*spaces.spaces_of_keys()[:2], spaces.EfficientNetSpace()):
        archs = [space.build(uniform(rng)) for _ in range(60)]
        counts.append(len({kernel.key for arch in archs for kernel in fused_kernels(arch)}))
    assert counts[0] < 100 < counts[1]
    assert all("swish" in kernel.key for arch in archs for kernel in fused_kernels(arch) if kernel.key.startswith("dw"))


def test_random_widths_are_whole_grains_and_replay(scripts) -> None:
    space = scripts["latency_spaces"].RandomWidths(inner=scripts["latency_spaces"].fixed_space())
    arch, choices = record(space, uniform(random.Random(3)))
    channels = {name: count for name, count in arch.widths.items() if name not in (IMAGE, CLASSES)}
    assert all(count % 8 == 0 for count in channels.values())
    assert set(choices) >= {f"{name}.channels" for name in channels}
    assert cost(space.build(largest)).macs == cost(space.inner.build(largest)).macs


def test_a_part_answers_under_the_names_of_the_bars(scripts, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, space = scripts["benchmark_latency"], dataclasses.replace(SPACE, kernels=(3,), acts=("relu",))
    monkeypatch.setattr(bench, "fixed_space", lambda: space)
    monkeypatch.setattr(bench, "BATCH", 100)
    monkeypatch.setattr(measure, "POOL", 60)
    table = bench.built(space, bench.QUICK.plan)
    monkeypatch.setattr(bench, "built", lambda *_: table)
    figures = bench.fixed(bench.QUICK, tmp_path / "table.json")
    assert figures["mape_pct"] < 1
    assert set(figures["baselines"]) == {"flops", "flops_and_memory", "one_op_sessions", "block_table"}
    assert figures["baselines"]["one_op_sessions"]["mape_pct"] == pytest.approx(0, abs=1e-6)
    figures |= bench.speed(bench.QUICK, tmp_path / "table.json")
    figures |= bench.drift(bench.QUICK, tmp_path / "table.json")
    assert (figures["prices_that_differ"], figures["one_prices_that_differ"]) == (0, 0)
    assert abs(figures["drift_points"]) < 0.1
    shown = bench.lines(json.loads(json.dumps(figures)))
    assert any(line.startswith("mape_pct ") and line.endswith("ok") for line in shown)
    assert any(line.startswith("flops: mape_pct ") for line in shown)


def test_bars_are_kept_or_missed(scripts) -> None:
    bars, latency = scripts["bars"], scripts["latency_bars"]
    assert bars.met(1.1, "<= 1.1")
    assert not bars.met(1.2, "<= 1.1")
    assert bars.met(0.97, ">= 0.965")
    (line,) = latency.lines({"drift_points": 0.5, "kendall_equal_flops": None})
    assert line.endswith("MISSED")
    assert latency.lines({"errors": {"keys": "too noisy"}}) == ["keys: too noisy"]


def test_searches_whose_check_fails_violate_their_budget(scripts, monkeypatch: pytest.MonkeyPatch) -> None:
    searches, rows = scripts["latency_searches"], iter((True, False, True, True))

    def searched(_space, _table, budget_ms, seed) -> tuple[Arch, dict]:
        return SPACE.build(largest), {"budget_ms": budget_ms, "kept": next(rows), "use_pct": 90 + seed}

    def timed(_target, archs, *, rounds, **_others) -> Measured:
        return Measured(samples_us=np.full((len(archs), rounds), 1500.0), profiles=())

    monkeypatch.setattr(searches, "_searched", searched)
    monkeypatch.setattr(searches, "measure_networks", timed)
    table = SimpleNamespace(target=None)
    found = searches.run_searches(SPACE, table, [1.0, 1.0, 2.0, 2.0])
    assert (found["violations"], found["violations_retimed"], found["median_use_pct"]) == (1, 2, 91.5)


def test_budgets_lie_within_the_space(scripts) -> None:
    class Model:
        @staticmethod
        def arch_ms(arch: Arch) -> float:
            return float(clock_ms([arch])[0])

    low, high = clock_ms([SPACE.build(lambda _, options: options[0]), SPACE.build(largest)])
    budgets_ms = scripts["latency_searches"].random_budgets(SPACE, Model(), 20)
    assert len(set(budgets_ms)) == 20
    assert all(low < budget_ms < high for budget_ms in budgets_ms)
