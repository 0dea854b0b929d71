"""What any runtime must do to be measured: subclass `RuntimeContract` and give it a `runtime` and a `target`."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from nas.arch import IMAGE, Arch
from nas.errors import DeviceError
from nas.latency.runtimes import Runtime, make_runtime
from nas.space import largest, uniform
from nas.target import Host, Target
from tests.net.zoo import SPACE, every_kind

ARCHS = {
    "every kind": every_kind(),
    "largest": SPACE.build(largest),
    "random": SPACE.build(uniform(random.Random(3))),
}


def images_for(arch: Arch, count: int) -> np.ndarray:
    shape = (count, arch.widths[IMAGE], arch.size_px, arch.size_px)
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


class RuntimeContract:
    """Tests that every runtime passes."""

    @pytest.fixture
    def target(self) -> Target:
        raise NotImplementedError

    @pytest.fixture
    def runtime(self, target: Target) -> Runtime:
        raise NotImplementedError

    @pytest.fixture(params=ARCHS.values(), ids=list(ARCHS))
    def arch(self, request: pytest.FixtureRequest) -> Arch:
        return request.param

    def test_the_host_is_filled_and_stable(self, runtime: Runtime, target: Target) -> None:
        host = runtime.host(target)
        assert host == runtime.host(target)
        assert (host.threads, host.precision, host.batch) == (target.threads, target.precision, target.batch)
        assert host.runtime == target.runtime
        assert all(getattr(host, field.name) for field in dataclasses.fields(Host))
        others = ({"threads": target.threads + 1}, {"batch": target.batch + 1})
        assert all(runtime.host(dataclasses.replace(target, **other)) != host for other in others)

    def test_kernels_cover_every_layer_once(self, runtime: Runtime, arch: Arch) -> None:
        layers = [name for kernel in runtime.kernels(arch) for name in kernel.layers]
        assert sorted(name for name in layers if "/" not in name) == sorted(layer.name for layer in arch.layers)
        assert len(set(layers)) == len(layers)

    def test_the_same_network_has_the_same_kernels_and_file(self, runtime: Runtime, arch: Arch) -> None:
        assert runtime.kernels(arch) == runtime.kernels(arch)
        assert runtime.write(arch) == runtime.write(arch)

    def test_a_prepared_model_runs_again_and_again(self, runtime: Runtime, arch: Arch) -> None:
        run = runtime.prepare(runtime.write(arch))
        for _ in range(3):
            run()

    def test_models_are_prepared_side_by_side(self, runtime: Runtime) -> None:
        runs = [runtime.prepare(runtime.write(arch)) for arch in ARCHS.values()]
        for run in (*runs, *reversed(runs)):
            run()

    @pytest.mark.parametrize("count", [1, 3, 5])
    def test_inference_gives_each_image_its_logits(self, runtime: Runtime, arch: Arch, count: int) -> None:
        model, images = runtime.write(arch), images_for(arch, 5)
        logits = runtime.infer(model, images[:count])
        assert logits.shape == (count, arch.classes)
        assert np.isfinite(logits).all()
        np.testing.assert_allclose(logits, runtime.infer(model, images)[:count], atol=1e-5)
        assert len(np.unique(logits, axis=0)) == count

    def test_the_profile_speaks_of_this_networks_layers(self, runtime: Runtime, arch: Arch) -> None:
        profile = runtime.profile(runtime.write(arch), arch, runs=3)
        assert {name.partition("/")[0] for name in profile} <= {layer.name for layer in arch.layers}
        assert all(layer.nodes >= 1 and layer.profiled_us >= 0 for layer in profile.values())
        assert sum(layer.profiled_us for layer in profile.values()) > 0

    def test_the_profile_has_the_same_nodes_every_time(self, runtime: Runtime, arch: Arch) -> None:
        model = runtime.write(arch)
        first, second = (runtime.profile(model, arch, runs=runs) for runs in (2, 4))
        assert {name: layer.nodes for name, layer in first.items()} == {
            name: layer.nodes for name, layer in second.items()
        }

    def test_every_kernel_of_a_searched_network_is_profiled(self, runtime: Runtime) -> None:
        arch = ARCHS["largest"]
        profile = runtime.profile(runtime.write(arch), arch, runs=2)
        assert all(set(kernel.layers) & set(profile) for kernel in runtime.kernels(arch))

    def test_threads_without_a_cpu_each_are_refused(self, target: Target) -> None:
        crowded = make_runtime(dataclasses.replace(target, threads=10_000))
        arch = ARCHS["random"]
        with pytest.raises(DeviceError, match=r"target\.threads=10000"):
            crowded.prepare(crowded.write(arch))
        with pytest.raises(DeviceError, match=r"target\.threads=10000"):
            crowded.profile(crowded.write(arch), arch, runs=2)

    @pytest.mark.parametrize("model", [b"", b"not a model", b"\x00" * 100])
    def test_garbage_is_a_device_error(self, runtime: Runtime, model: bytes) -> None:
        with pytest.raises(DeviceError, match="refuses the model"):
            runtime.prepare(model)
