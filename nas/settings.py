"""What a run was asked for, typed and checked: the pipeline's input. `nas.config` fills it from YAML and overrides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from nas.arch import Arch
from nas.data import Dataset
from nas.errors import InputError, did_you_mean
from nas.latency.measure import MeasurePlan
from nas.netadapt import TrimSettings
from nas.searcher import SAMPLERS
from nas.shipped import shipped
from nas.space import SearchSpace
from nas.target import Target
from nas.training import Recipe

LoadData = Callable[[], Dataset]


def shipped_tables() -> Path:
    """Return the folder of the latency tables that ship with the package."""
    return shipped("latency_tables")


class MakeSpace(Protocol):
    """Makes the space for a data set, whose channels and classes only the data knows."""

    def __call__(self, *, image_channels: int, classes: int) -> SearchSpace:
        """Make the space.

        Raises:
            InputError: An option is out of range.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SupernetSettings:
    """How accuracy is estimated: a supernet, trained once and shared by every run that asks for the same.

    Attributes:
        recipe: How it is trained.
        recalibration_images: Training images that a sliced network's batch norm is recalibrated on.
    """

    recipe: Recipe
    recalibration_images: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SearcherSettings:
    """How networks are proposed.

    Attributes:
        sampler: One of `nas.searcher.SAMPLERS`.
        trials: Distinct networks to evaluate.
        slack: Networks up to `budget * (1 + slack)` are searched; trimming brings the winner down to the budget.
    """

    sampler: str
    trials: int
    slack: float

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            hint = did_you_mean(self.sampler, SAMPLERS) or f"; known: {', '.join(SAMPLERS)}"
            raise InputError(f"unknown searcher.sampler '{self.sampler}'{hint}")
        if self.trials < 1:
            raise InputError(f"searcher.trials = {self.trials}: must be at least 1")
        if not 0 <= self.slack <= 1:
            raise InputError(f"searcher.slack = {self.slack}: must lie between 0 and 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """One run.

    Attributes:
        make_space, load_data: What names in the configuration stand for, ready to be called.
        networks: Hand-designed networks by name.
        latency: How much is measured for a table.
        budget_ms: Median milliseconds the network may take; None: geometric mean of the space's extremes.
        budgets: Budgets of `nas.sweep`, ms.
        storage: Where the study is kept: a file, an RDB URL or `grpc://host:port`; None: in the run's folder.
        workers: Processes that evaluate networks.
        name: Folder of the run under `runs_dir`.
        network: A run folder, an architecture's file or a name in `networks`; None: what the command searches itself.
        device: What trains.
        threads: Of training on the CPU; None: half of the cores, at most 4.
        tables_dir: Where tables measured here are kept.
        table: A table to use as it is, measured here or elsewhere; None: this machine's, measured when there is none.
        allow_mismatch: Whether a table of another host may be used.
        composed: The plain configuration without where the run works; what its results depend on.
        overrides: The command's arguments as they were typed, for further commands on the same data and space.
    """

    target: Target
    latency: MeasurePlan
    make_space: MakeSpace
    load_data: LoadData
    networks: Mapping[str, Callable[[], Arch]]
    accuracy: SupernetSettings
    searcher: SearcherSettings
    netadapt: TrimSettings
    finetune: Recipe
    budget_ms: float | None
    budgets: tuple[float, ...] | None
    storage: str | None
    workers: int
    name: str
    seed: int
    network: str | None
    device: Literal["auto", "cpu", "cuda"]
    threads: int | None
    runs_dir: Path
    tables_dir: Path
    table: Path | None
    allow_mismatch: bool
    composed: Mapping[str, Any]
    overrides: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.budget_ms is not None and self.budget_ms <= 0:
            raise InputError(f"budget_ms = {self.budget_ms:g}: must be above 0 milliseconds")
        for ms in self.budgets or ():
            if ms <= 0 or (self.budgets or ()).count(ms) > 1:
                raise InputError(f"budgets: {ms:g} must be above 0 milliseconds and given once")
        if self.budgets == ():
            raise InputError("budgets is empty; give at least one, milliseconds: budgets=[0.2,0.3]")
        if self.workers < 1:
            raise InputError(f"workers = {self.workers}: must be at least 1")
        if self.threads is not None and self.threads < 1:
            raise InputError(f"threads = {self.threads}: must be at least 1")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed = {self.seed}: must lie between 0 and {2**32 - 1}")
