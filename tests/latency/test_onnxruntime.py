"""ONNX Runtime keeps the contract, and its profile is read to the last node."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest

from nas.arch import IMAGE, Act, Arch, Kind, Layer
from nas.errors import DeviceError, InputError
from nas.latency.runtimes import Runtime, make_runtime
from nas.latency.runtimes import onnxruntime as module
from nas.latency.runtimes.onnxruntime import OnnxRuntime
from nas.space import uniform
from nas.target import Target
from tests.latency.conftest import TARGET
from tests.latency.runtime_contract import RuntimeContract
from tests.net.zoo import SPACE, every_kind


class TestOnnxRuntime(RuntimeContract):
    @pytest.fixture(params=[1, 2], ids=["batch 1", "batch 2"])
    def target(self, request: pytest.FixtureRequest) -> Target:
        return dataclasses.replace(TARGET, batch=request.param)

    @pytest.fixture
    def runtime(self, target: Target) -> Runtime:
        return make_runtime(target)


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown runtime 'onxruntime' \(did you mean 'onnxruntime'\?\)"):
        make_runtime(Target(name="x", runtime="onxruntime"))


def nodes(arch: Arch) -> dict[str, int]:
    runtime = OnnxRuntime(TARGET)
    return {name: layer.nodes for name, layer in runtime.profile(runtime.write(arch), arch, runs=1).items()}


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


CPUINFO = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Example CPU @ 2 GHz
flags\t\t: fpu sse2 avx avx2 {more}

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: Example CPU @ 2 GHz
flags\t\t: fpu sse2 avx avx2 {more}
"""


@pytest.mark.parametrize(("more", "isa"), [("avx512f", "avx512f"), ("", "avx2")])
def test_the_cpu_is_read_from_the_system(more: str, isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda _path: CPUINFO.format(more=more))
    assert module._cpu() == ("Example CPU @ 2 GHz", "GenuineIntel", isa)


def test_a_system_without_cpuinfo_still_has_a_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_path: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert all(module._cpu())
