"""What latency is measured on: the `Target` a user names and the `Host` that answers for it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Literal

from nas.errors import InputError

Precision = Literal["fp32", "int8"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A device, a runtime and how it is run.

    Attributes:
        name: What `+target=` says; tables are filed under it.
        runtime: Name of the runtime, e.g. `onnxruntime`.
        vendor: CPU vendor that the name promises, as the system spells it (`GenuineIntel`); empty for any.
        threads: Threads the runtime may use, each on a CPU of its own.
        precision: Number format of weights and activations.
        batch: Images a run; a latency is that of the whole batch.
        grain: Widths are trimmed to multiples of it; None: what was measured for the table.
    """

    name: str
    runtime: str
    device: str = "cpu"
    vendor: str = ""
    threads: int = 1
    precision: Precision = "fp32"
    batch: int = 1
    grain: int | None = None

    def __post_init__(self) -> None:
        for name in ("threads", "batch", "grain"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"target.{name} = {value}: must be at least 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """Fingerprint of the machine and runtime that a number was measured on; equal hosts may share a table.

    Attributes:
        isa: Widest vector instruction set, e.g. `avx512f+vnni`.
        governor: What chooses the CPUs' clock, e.g. `performance`; `unknown` where it cannot be read.
        cpus: Logical CPUs that affinity and the container's cpuset leave.
        cpu_quota: CPUs' worth of time that the container may use.
    """

    cpu: str
    vendor: str
    isa: str
    governor: str
    cpus: int
    cpu_quota: float
    runtime: str
    runtime_version: str
    threads: int
    precision: str
    batch: int

    @property
    def slug(self) -> str:
        """File name of this host's tables: readable words and a short hash."""
        text = "-".join(str(value) for value in asdict(self).values())
        words = "".join(c if c.isalnum() else "-" for c in f"{self.cpu} {self.runtime} {self.runtime_version}".lower())
        return f"{'-'.join(filter(None, words.split('-')))}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def matches(self, target: Target) -> bool:
        """Whether this machine is what the target's name says."""
        return target.vendor in ("", self.vendor)
