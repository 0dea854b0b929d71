import dataclasses

import pytest

from nas.convert import build
from nas.errors import InputError
from nas.target import Host, Target

HOST = Host(
    cpu="AMD EPYC 7763 64-Core Processor",
    vendor="AuthenticAMD",
    isa="avx2",
    governor="performance",
    cpus=2,
    cpu_quota=2.0,
    runtime="onnxruntime",
    runtime_version="1.32.0",
    threads=1,
    precision="fp32",
    batch=1,
)


def test_slug_is_a_readable_file_name():
    assert HOST.slug.startswith("amd-epyc-7763-64-core-processor-onnxruntime-1-32-0-")
    assert all(c.isalnum() or c == "-" for c in HOST.slug)


@pytest.mark.parametrize(
    "change",
    [
        {"threads": 2},
        {"isa": "avx512"},
        {"precision": "int8"},
        {"runtime_version": "1.33"},
        {"governor": "powersave"},
        {"cpus": 1},
        {"cpu_quota": 0.5},
    ],
)
def test_hosts_that_differ_have_tables_apart(change):
    assert dataclasses.replace(HOST, **change).slug != HOST.slug


def test_a_host_matches_the_vendor_the_target_names():
    assert not HOST.matches(Target(name="intel_cpu", runtime="onnxruntime", vendor="GenuineIntel"))
    assert HOST.matches(Target(name="cpu", runtime="onnxruntime"))


@pytest.mark.parametrize("name", ["threads", "batch", "grain"])
def test_counts_begin_at_one(name):
    with pytest.raises(InputError, match=rf"target\.{name} = 0: must be at least 1"):
        Target(name="cpu", runtime="onnxruntime", **{name: 0})


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError, match="'int4': expected one of fp32, int8"):
        build(Target, {"name": "cpu", "runtime": "onnxruntime", "precision": "int4"})
