"""Fingerprint of the machine at hand: what besides the target decides how fast a network runs.

Read from Linux's /proc, /sys and control groups (both versions); elsewhere, or where a container hides them, values
are `unknown`, and the limits those of the process.
"""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from nas.errors import DeviceError
from nas.target import Host, Target

UNKNOWN = "unknown"
_CPUINFO = Path("/proc/cpuinfo")
_GROUPS = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")
_CPUS = Path("/sys/devices/system/cpu")
_VNNI = ("avx512_vnni", "avx_vnni")


def host_of(target: Target, *, runtime_version: str) -> Host:
    """Fingerprint of this machine running a target's runtime."""
    cpu, vendor, isa = _cpu()
    return Host(
        cpu=cpu,
        vendor=vendor,
        isa=isa,
        governor=_governor(),
        cpus=_cpus(),
        cpu_quota=_cpu_quota(),
        runtime=target.runtime,
        runtime_version=runtime_version,
        threads=target.threads,
        precision=target.precision,
        batch=target.batch,
    )


@functools.cache
def block_channels() -> int:
    """Channels of one vector register, which convolutions compute together: 16 with AVX-512, else 8."""
    return 16 if _cpu()[2].startswith("avx512") else 8


def require_cpus(threads: int) -> None:
    """Check that of several threads each gets a CPU of its own: threads that take turns would be timed waiting.

    Raises:
        DeviceError: There are fewer CPUs, or the container may use less of their time.
    """
    usable = min(float(_cpus()), _cpu_quota())
    if threads > max(1, usable):
        raise DeviceError(
            f"target.threads={threads}, but this process may use {usable:g} CPUs; lower target.threads, or lift the "
            f"limit of the container (cpuset, CPU quota) or of taskset"
        )


def _cpu() -> tuple[str, str, str]:
    """CPU model, vendor and widest vector instruction set."""
    text = _read(_CPUINFO)
    if not text:
        return platform.processor() or platform.machine(), platform.system(), platform.machine()
    lines = reversed(text.splitlines())
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = fields.get("flags", "").split()
    isa = next((name for name in ("avx512f", "avx2", "avx") if name in flags), platform.machine())
    isa += "+vnni" if any(name in flags for name in _VNNI) else ""
    return fields.get("model name", platform.machine()), fields.get("vendor_id", UNKNOWN), isa


def _governor() -> str:
    """How the CPUs choose their clock; several where they differ."""
    found = {_read(path) for path in _CPUS.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {""}
    return "/".join(sorted(found)) or UNKNOWN


def _cpus() -> int:
    """Logical CPUs that affinity and the container's cpuset leave to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_quota() -> float:
    """CPUs' worth of time that control groups leave to this process; all CPUs where they set no limit."""
    return min([float(os.cpu_count() or 1), *_quotas()])


def _quotas() -> Iterator[float]:
    """The limit of every control group that this process is in, CPUs."""
    for line in _read(_GROUPS).splitlines():
        _, controllers, place = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = _MOUNT / controllers if controllers else _MOUNT
        group = mount / place.strip("/")
        for folder in (group, *group.parents):
            if controllers:
                numbers = [_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")]
            else:
                numbers = _read(folder / "cpu.max").split()
            if len(numbers) == 2 and all(number.isdigit() for number in numbers):
                yield int(numbers[0]) / int(numbers[1])
            if folder == mount:
                break


def _read(path: Path) -> str:
    """Content of a small system file; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
