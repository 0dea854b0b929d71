"""ONNX Runtime keeps the contract, and its profile is read to the last node."""

from __future__ import annotations

import dataclasses
import os
import random

import pytest

from nas.arch import IMAGE, Act, Arch, Kind, Layer
from nas.errors import DeviceError, InputError
from nas.latency.runtimes import Runtime, make_runtime
from nas.latency.runtimes import onnxruntime as module
from nas.latency.runtimes.onnxruntime import OnnxRuntime
from nas.space import largest, uniform
from nas.target import Target
from tests.latency.runtime_contract import RuntimeContract
from tests.net.zoo import SPACE, every_kind

TARGET = Target(name="intel_cpu", runtime="onnxruntime")
CPUS = len(os.sched_getaffinity(0))
FORMS = [
    {"threads": 1},
    {"batch": 2},
    {"precision": "int8"},
    {"precision": "int8", "batch": 2},
    *([{"threads": 2}, {"threads": CPUS, "batch": 4, "precision": "int8"}] if CPUS > 1 else []),
]


class TestOnnxRuntime(RuntimeContract):
    @pytest.fixture(params=FORMS, ids=lambda form: ", ".join(f"{name} {value}" for name, value in form.items()))
    def target(self, request: pytest.FixtureRequest) -> Target:
        return dataclasses.replace(TARGET, **request.param)

    @pytest.fixture
    def runtime(self, target: Target) -> Runtime:
        return make_runtime(target)


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown runtime 'onxruntime' \(did you mean 'onnxruntime'\?\)"):
        make_runtime(Target(name="x", runtime="onxruntime"))


def nodes(arch: Arch) -> dict[str, int]:
    runtime = OnnxRuntime(TARGET)
    return {name: layer.nodes for name, layer in runtime.profile(runtime.write(arch), arch, runs=2).items()}


@pytest.mark.parametrize("seed", range(3))
def test_every_node_is_attributed_to_a_layer(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    arch = SPACE.build(uniform(random.Random(seed)))
    seen: list[str] = []
    owners = module._owners
    monkeypatch.setattr(module, "_owners", lambda names, arch: seen.extend(names) or owners(names, arch))
    counts = nodes(arch)
    assert sum(counts.values()) == len(seen)
    assert "" not in counts


def test_parts_of_an_activation_count_for_their_layer_and_layout_changes_for_squeeze_excite() -> None:
    names = [
        "stem_nchwc",
        "ReorderOutput_token_1",
        "norm/scaled",
        "HardSigmoid_7",
        "Mul_8",
        "ReorderOutput_token_2",
        "se/mean",
        "ReorderInput",
        "se/squeezed_nchwc",
        "ReorderOutput",
        "se",
        "ReorderInput_token_4",
        "max_nchwc",
    ]
    assert module._owners(names, every_kind()) == [
        *("stem", "stem", "norm", "norm", "norm"),
        *("se",) * 7,
        "max",
    ]


def test_nodes_before_any_name_count_for_the_first_layer() -> None:
    assert module._owners(["ReorderInput", "stem_nchwc"], every_kind()) == ["stem", "stem"]


def test_an_unfused_activation_counts_for_its_layer() -> None:
    layers = (
        Layer(name="norm", kind=Kind.NORM, inputs=(IMAGE,), act=Act.HSWISH),
        Layer(name="se", kind=Kind.SE, inputs=("norm",), squeeze="squeeze"),
    )
    counts = nodes(Arch(layers=layers, widths={IMAGE: 8, "squeeze": 4}, size_px=4))
    assert counts["norm"] >= 3


def test_an_unreadable_profile_is_a_device_error() -> None:
    event = {"cat": "Node", "name": "stem_kernel_time", "dur": 3}
    with pytest.raises(DeviceError, match="profiled 3 nodes in 2 runs"):
        module._layer_profiles([event] * 3, every_kind(), 2)
    with pytest.raises(DeviceError, match="profiled 0 nodes"):
        module._layer_profiles([{"cat": "Session", "name": "run", "dur": 3}], every_kind(), 2)


def test_the_first_run_and_hiccups_are_left_out_of_profiled_times() -> None:
    durations_us = [900, 10, 12, 11, 500, 13]
    events = [{"cat": "Node", "name": "stem_kernel_time", "dur": us} for us in durations_us]
    profile = module._layer_profiles(events, every_kind(), len(events))
    assert profile["stem"].profiled_us == pytest.approx(11)


def test_in_eight_bits_every_layer_is_a_kernel_and_its_parts_count_for_it() -> None:
    arch = SPACE.build(largest)
    runtime = make_runtime(dataclasses.replace(TARGET, precision="int8"))
    profile = runtime.profile(runtime.write(arch), arch, runs=2)
    keys = [kernel.key for kernel in runtime.kernels(arch)]
    assert len(keys) == len(arch.layers)
    assert not any("+sum" in key for key in keys)
    assert list(profile) == [layer.name for layer in arch.layers]
    inner = [layer for layer in arch.layers[1:-4] if layer.kind is Kind.CONV]  # between the borders of the graph
    assert {profile[layer.name].nodes for layer in inner if layer.act is Act.IDENTITY} == {1}
    assert {profile[layer.name].nodes for layer in inner if layer.act is Act.HSWISH} == {5}


def test_rewritten_nodes_keep_their_layer() -> None:
    names = ["stem_token_2", "norm/in0_token_12", "se_nchwc", "max"]
    assert module._owners(names, every_kind()) == ["stem", "norm", "se", "max"]
