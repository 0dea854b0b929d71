"""The machine's fingerprint, read from a file system made for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nas.errors import DeviceError
from nas.latency.runtimes import machine
from nas.target import Target

TARGET = Target(name="intel_cpu", runtime="onnxruntime", threads=2, batch=4, precision="int8")
CPUINFO = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Example CPU @ 2 GHz
flags\t\t: fpu sse2 avx avx2 {more}

processor\t: 1
vendor_id\t: GenuineIntel
model name\t: Example CPU @ 2 GHz
flags\t\t: fpu sse2 avx avx2 {more}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 8 CPUs with an empty file system."""
    for name, path in (("_CPUINFO", "cpuinfo"), ("_GROUPS", "groups"), ("_MOUNT", "mount"), ("_CPUS", "cpus")):
        monkeypatch.setattr(machine, name, tmp_path / path)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(6)), raising=False)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_host_is_the_machine_and_the_target(root: Path) -> None:
    write(root / "cpuinfo", CPUINFO.format(more=""))
    host = machine.host_of(TARGET, runtime_version="1.2")
    assert (host.cpu, host.vendor, host.isa) == ("Example CPU @ 2 GHz", "GenuineIntel", "avx2")
    assert (host.governor, host.cpus, host.cpu_quota) == ("unknown", 6, 8.0)
    assert (host.runtime, host.runtime_version) == ("onnxruntime", "1.2")
    assert (host.threads, host.batch, host.precision) == (2, 4, "int8")


@pytest.mark.parametrize(
    ("more", "isa"),
    [("avx512f", "avx512f"), ("avx512f avx512_vnni", "avx512f+vnni"), ("avx_vnni", "avx2+vnni"), ("", "avx2")],
)
def test_the_instruction_set_is_the_widest(more: str, isa: str, root: Path) -> None:
    write(root / "cpuinfo", CPUINFO.format(more=more))
    assert machine.host_of(TARGET, runtime_version="1").isa == isa


def test_a_system_that_tells_nothing_still_has_a_fingerprint(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    host = machine.host_of(TARGET, runtime_version="1")
    assert all((host.cpu, host.vendor, host.isa))
    assert (host.governor, host.cpus, host.cpu_quota) == ("unknown", 8, 8.0)


@pytest.mark.parametrize(
    ("governors", "found"), [(["powersave"] * 2, "powersave"), (["schedutil", "performance"], "performance/schedutil")]
)
def test_the_governors_of_all_cpus_are_read(governors: list[str], found: str, root: Path) -> None:
    for i, governor in enumerate(governors):
        write(root / f"cpus/cpu{i}/cpufreq/scaling_governor", f"{governor}\n")
    write(root / "cpus/cpufreq/cpufreq/scaling_governor", "not a cpu")
    assert machine.host_of(TARGET, runtime_version="1").governor == found


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000"}, 8.0),
        ("0::/pod/box\n", {"cpu.max": "max 100000", "pod/cpu.max": "300000 100000", "pod/box/cpu.max": "max 1"}, 3.0),
        ("0::/pod/box\n", {"pod/cpu.max": "300000 100000", "pod/box/cpu.max": "200000 100000"}, 2.0),
        (
            "4:memory:/box\n3:cpu,cpuacct:/box\n0::/\n",
            {"cpu,cpuacct/box/cpu.cfs_quota_us": "50000", "cpu,cpuacct/box/cpu.cfs_period_us": "100000"},
            0.5,
        ),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8.0),
        ("1:cpu:/elsewhere\n", {}, 8.0),
    ],
    ids=["limit", "no limit", "limit of a parent", "tightest limit", "version 1", "version 1 without", "hidden"],
)
def test_the_container_limits_cpu_time(groups: str, files: dict[str, str], quota: float, root: Path) -> None:
    write(root / "groups", groups)
    for path, text in files.items():
        write(root / "mount" / path, f"{text}\n")
    assert machine.host_of(TARGET, runtime_version="1").cpu_quota == quota


def test_every_thread_needs_a_cpu(root: Path) -> None:
    machine.require_cpus(6)
    with pytest.raises(DeviceError, match=r"target\.threads=7, but this process may use 6 CPUs; lower"):
        machine.require_cpus(7)


def test_one_thread_may_have_less_than_a_cpu_but_two_may_not(root: Path) -> None:
    write(root / "groups", "0::/\n")
    write(root / "mount/cpu.max", "50000 100000")
    machine.require_cpus(1)
    with pytest.raises(DeviceError, match=r"may use 0\.5 CPUs"):
        machine.require_cpus(2)
