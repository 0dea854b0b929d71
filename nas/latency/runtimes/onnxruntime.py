"""ONNX Runtime's CPU provider: batch as the target says, one pinned arena, no spinning (FINDINGS.md section 4)."""

from __future__ import annotations

import functools
import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from nas.arch import Arch, Kind
from nas.errors import DeviceError
from nas.formats.int8 import write_int8
from nas.formats.onnx import INPUT, OUTPUT, write_onnx
from nas.latency.kernels import TO_FORM, Kernel, fused_kernels, kernel_key
from nas.latency.layout import Form, layouts
from nas.latency.runtimes.base import LayerProfile
from nas.latency.runtimes.machine import block_channels, host_of, require_cpus
from nas.latency.timing import stats
from nas.target import Host, Target

PROVIDER = "CPUExecutionProvider"
TRIM = 0.6  # share of a node's fastest runs that its time is the mean of: whole microseconds average out, hiccups go
_NODE = "_kernel_time"
_REWRITTEN = re.compile(r"(_nchwc|_token_\d+)$")  # suffix of a node that was fused or moved to another layout
_LAYOUT_CHANGE = "Reorder"
_CHANGES: Mapping[Form, str] = MappingProxyType({Form.PLAIN: "ReorderOutput", Form.BLOCKED: "ReorderInput"})


class OnnxRuntime:
    """ONNX Runtime on this machine's CPU, run as a target says.

    In float it fuses residual sums into convolutions; in eight bits every layer is a kernel of its own.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    def host(self, target: Target) -> Host:
        """See `Runtime`."""
        return host_of(target, runtime_version=ort.__version__)

    def write(self, arch: Arch) -> bytes:
        """See `Runtime`."""
        write = write_int8 if self._target.precision == "int8" else write_onnx
        return write(arch, batch=self._target.batch)

    def kernels(self, arch: Arch) -> Sequence[Kernel]:
        """See `Runtime`."""
        return _layer_kernels(arch) if self._target.precision == "int8" else fused_kernels(arch, block=block_channels())

    def prepare(self, model: bytes) -> Callable[[], object]:
        """See `Runtime`."""
        require_cpus(self._target.threads)
        session = self._session(model, profile_prefix=None)
        binding = _bind(session)
        return lambda: session.run_with_iobinding(binding)

    def infer(self, model: bytes, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Runtime`."""
        session = self._session(model, profile_prefix=None)
        batch = self._target.batch
        padded = np.concatenate([images, np.zeros((-len(images) % batch, *images.shape[1:]), np.float32)])
        logits = [session.run([OUTPUT], {INPUT: padded[i : i + batch]})[0] for i in range(0, len(padded), batch)]
        return np.concatenate(logits)[: len(images)]

    def profile(self, model: bytes, arch: Arch, *, runs: int) -> dict[str, LayerProfile]:
        """See `Runtime`."""
        require_cpus(self._target.threads)
        with tempfile.TemporaryDirectory() as folder:
            session = self._session(model, profile_prefix=str(Path(folder) / "profile"))
            binding = _bind(session)
            for _ in range(runs + 1):
                session.run_with_iobinding(binding)
            events = json.loads(Path(session.end_profiling()).read_text())
        return _layer_profiles(events, arch, runs + 1)

    def _session(self, model: bytes, profile_prefix: str | None) -> ort.InferenceSession:
        _share_arena()
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._target.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.use_env_allocators", "1")
        if profile_prefix:
            options.enable_profiling = True
            options.profile_file_prefix = profile_prefix
        try:
            return ort.InferenceSession(model, options, providers=[PROVIDER])
        except Exception as error:  # noqa: BLE001 - the runtime's many error classes share no other base
            raise DeviceError(
                f"ONNX Runtime {ort.__version__} refuses the model: {str(error).splitlines()[0]}"
            ) from None


@functools.cache
def _share_arena() -> None:
    """One memory arena for all sessions of the process; asking twice raises, hence the cache."""
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, None)


def _bind(session: ort.InferenceSession) -> Any:
    shape = session.get_inputs()[0].shape
    image = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    binding = session.io_binding()
    binding.bind_ortvalue_input(INPUT, ort.OrtValue.ortvalue_from_numpy(image))
    binding.bind_output(OUTPUT)
    return binding


def _layer_profiles(events: Sequence[Mapping[str, Any]], arch: Arch, runs: int) -> dict[str, LayerProfile]:
    nodes = [event for event in events if event.get("cat") == "Node" and event["name"].endswith(_NODE)]
    if not nodes or len(nodes) % runs:
        raise DeviceError(f"ONNX Runtime {ort.__version__} profiled {len(nodes)} nodes in {runs} runs; cannot be read")
    count = len(nodes) // runs
    durations_us = np.array([event["dur"] for event in nodes], dtype=float).reshape(runs, count)[1:]
    kept = np.sort(durations_us, axis=0)[: max(1, int(TRIM * (runs - 1)))].mean(axis=0)
    names = [event["name"].removesuffix(_NODE) for event in nodes[:count]]
    shapes = [_shape(event) for event in nodes[:count]]
    owners = np.array(_with_changes(names, shapes, _owners(names, arch), arch))
    return {
        owner: LayerProfile(
            profiled_us=float(kept[owners == owner].sum()),
            nodes=int((owners == owner).sum()),
            stats=stats(durations_us[:, owners == owner].sum(axis=1)),
        )
        for owner in dict.fromkeys(owners.tolist())
    }


def _owners(nodes: Sequence[str], arch: Arch) -> list[str]:
    """The layer each node runs for.

    What carries no name is part of the layer before it; a layout change goes to a squeeze-excite behind it.
    """
    excites = {layer.name: layer.kind is Kind.SE for layer in arch.layers}
    named = [_layer_of(node, excites) for node in nodes]
    owners = []
    for i, name in enumerate(named):
        before = next((other for other in reversed(named[:i]) if other), "")
        after = next((other for other in named[i:] if other), "")
        excited = nodes[i].startswith(_LAYOUT_CHANGE) and excites.get(after) and not excites.get(before)
        owners.append(name or (after if excited else before or after))
    return owners


def _shape(event: Mapping[str, Any]) -> tuple[int, ...]:
    """Shape of a node's output; empty where the profile does not tell."""
    shapes = event.get("args", {}).get("output_type_shape") or [{}]
    return tuple(next(iter(shapes[0].values()), ()))


def _with_changes(
    nodes: Sequence[str], shapes: Sequence[tuple[int, ...]], owners: Sequence[str], arch: Arch
) -> list[str]:
    """Owners of the nodes, with the layout changes that are kernels of their own going to these.

    The profile does not say which tensor a layout change rearranges, but changes of one shape cost the same.
    """
    ops = arch.ops()
    by_name = {layer.name: op for layer, op in zip(arch.layers, ops, strict=True)}
    waiting: dict[tuple[str, int], list[str]] = {}
    for change in layouts(arch, ops, block=block_channels()).changes:
        op = by_name[change.tensor]
        name = f"{change.tensor}/{TO_FORM[change.form]}"
        waiting.setdefault((_CHANGES[change.form], op.out_px), []).append(name)
    excites = {layer.name for layer in arch.layers if layer.kind is Kind.SE}
    found = []
    for node, shape, owner in zip(nodes, shapes, owners, strict=True):
        queue = waiting.get((_REWRITTEN.sub("", node), shape[-1] if shape else 0), [])
        fits = [name for name in queue if by_name[name.rpartition("/")[0]].out_channels in shape or not shape]
        name = next(iter(fits or queue), "")
        if name and owner not in excites:
            queue.remove(name)
            found.append(name)
        else:
            found.append(owner)
    return found


def _layer_of(node: str, layers: Mapping[str, bool]) -> str:
    name = _REWRITTEN.sub("", node).partition("/")[0]
    return name if name in layers else ""


def _layer_kernels(arch: Arch) -> tuple[Kernel, ...]:
    """One kernel a layer."""
    return tuple(
        Kernel(key=kernel_key(op), layers=(layer.name,), op=op)
        for layer, op in zip(arch.layers, arch.ops(), strict=True)
    )
