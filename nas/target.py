"""What latency is measured on: the `Target` a user names and the `Host` that answers for it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A device, a runtime and how it is run.

    Attributes:
        name: What `+target=` says; tables are filed under it.
        runtime: Name of the runtime, e.g. `onnxruntime`.
        vendor: CPU vendor that the name promises, as the system spells it (`GenuineIntel`); empty for any.
        threads: Threads the runtime may use.
        precision: Number format of weights and activations.
        batch: Images a run.
        grain: Channel counts that are multiples of it run in the runtime's fast layout.
    """

    name: str
    runtime: str
    device: str = "cpu"
    vendor: str = ""
    threads: int = 1
    precision: str = "fp32"
    batch: int = 1
    grain: int = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """Fingerprint of the machine and runtime that a number was measured on; equal hosts may share a table.

    Attributes:
        isa: Widest vector instruction set, e.g. `avx512`.
    """

    cpu: str
    vendor: str
    isa: str
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
