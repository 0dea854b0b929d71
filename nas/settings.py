"""What a run was asked for, typed and checked: the pipeline's input. `nas.config` fills it from YAML and overrides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Protocol

from nas.accuracy import BLEND_SHARE, PROXY_IMAGES, RECALIBRATION_IMAGES, Evaluate, Filter, require_proxy
from nas.arch import Arch
from nas.data import Dataset
from nas.errors import InputError, did_you_mean
from nas.latency.measure import MeasurePlan
from nas.netadapt import TrimSettings
from nas.searcher import SAMPLERS, Pruner
from nas.shipped import shipped
from nas.space import SearchSpace
from nas.target import Target
from nas.training import Recipe, Sandwich, SinglePath, Strategy

ALL = "all"  # every hand-designed network

LEAST_PROXY_IMAGES = 8  # ZiCo compares four batches


def shipped_tables() -> Path:
    """Return the folder of the latency tables that ship with the package."""
    return shipped("latency_tables")


class LoadData(Protocol):
    """Loads the images."""

    def __call__(self, *, size_px: int | None = None) -> Dataset:
        """Load them; `size_px` is the size wanted where they have none of their own; None: the space's largest.

        Raises:
            InputError: They cannot be read.
        """
        ...


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
    """Accuracy with the weights of a supernet, trained once and shared by every run that asks for the same.

    Attributes:
        recipe: How it is trained.
        strategy: Which networks a step trains.
        largest_of: Of a single path: networks drawn a step, of which the largest is trained.
        random_paths: Of the sandwich: random networks a step.
        distill_from: Of the sandwich: share of the steps after which the others learn from the largest.
        init: Weights to start from; None: fresh ones.
        init_network: The hand-designed network whose weights `init` holds, torchvision's or timm's file; None: `init`
            is a supernet's, safetensors.
        recalibration_images: Training images that a sliced network's batch norm is recalibrated on.
        blend: Zero-cost score that a run's scores are drawn towards; None: none.
        blend_share: How far, 0 to 1.
    """

    recipe: Recipe
    strategy: Literal["single_path", "sandwich"] = "single_path"
    largest_of: int = 3
    random_paths: int = 2
    distill_from: float = 0.5
    init: Path | None = None
    init_network: str | None = None
    recalibration_images: int = RECALIBRATION_IMAGES
    blend: str | None = None
    blend_share: float = BLEND_SHARE

    def __post_init__(self) -> None:
        _require_images(self.recalibration_images)
        if self.blend is not None:
            require_proxy(self.blend, "accuracy.blend")
        if not 0 <= self.blend_share <= 1:
            raise InputError(f"accuracy.blend_share={self.blend_share:g} must lie between 0 and 1")
        if self.init_network is not None and self.init is None:
            raise InputError(f"accuracy.init_network={self.init_network} has no weights; give accuracy.init=FILE")
        self.make_strategy()

    def make_strategy(self) -> Strategy:
        """What the words above stand for.

        Raises:
            InputError: A value is out of range.
        """
        if self.strategy == "single_path":
            return SinglePath(largest_of=self.largest_of)
        return Sandwich(random_paths=self.random_paths, distill_from=self.distill_from)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShortTrainingSettings:
    """Accuracy after a short training of every candidate.

    Attributes:
        recipe: The short training.
        start: What it begins with: the weights of a supernet, or fresh ones.
        supernet: That supernet.
        kept_share: A candidate below the best so many of those before it, after as many epochs, is stopped; 1: none is.
        first: Candidates that are trained to the end before any is stopped.
        recalibration_images: Training images that batch norm is recalibrated on before scoring.
    """

    recipe: Recipe
    start: Literal["supernet", "fresh"] = "fresh"
    supernet: SupernetSettings | None = None
    kept_share: float = 0.5
    first: int = 5
    recalibration_images: int = RECALIBRATION_IMAGES

    def __post_init__(self) -> None:
        _require_images(self.recalibration_images)
        self.make_pruner()
        if self.recipe.epochs is None:
            raise InputError("accuracy.recipe.epochs is null: a short training is scored, and stopped, after epochs")
        if self.start == "supernet" and self.supernet is None:
            raise InputError("accuracy.start=supernet needs accuracy.supernet, how that supernet is trained")

    def make_pruner(self) -> Pruner:
        """What stops candidates.

        Raises:
            InputError: A value is out of range.
        """
        return Pruner(kept_share=self.kept_share, first=self.first)


@dataclass(frozen=True, kw_only=True, slots=True)
class ZeroCostSettings:
    """A score of the untrained network.

    Attributes:
        score: A name of `nas.accuracy.PROXIES`.
        images: Training images that it looks at.
        recalibration_images: Training images that batch norm is recalibrated on while trimming.
    """

    score: str
    images: int = PROXY_IMAGES
    recalibration_images: int = RECALIBRATION_IMAGES

    def __post_init__(self) -> None:
        _require_images(self.recalibration_images)
        require_proxy(self.score, "accuracy.score")
        if self.images < LEAST_PROXY_IMAGES:
            raise InputError(f"accuracy.images = {self.images}: must be at least {LEAST_PROXY_IMAGES}")


class MakeCallable(Protocol):
    """Makes an installed package's evaluator for a data set."""

    def __call__(self, *, dataset: Dataset, device: str, seed: int) -> Evaluate:
        """Make it.

        Raises:
            InputError: An option is wrong.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class CallableSettings:
    """An installed package's own function.

    Attributes:
        evaluator: Its name among the entry points of `underbudget.evaluators`.
        options: What its dataclass is filled with, where it is one.
        make: What the name stands for.
        is_accuracy: Whether its scores are shares of validation images classified rightly, for reports.
        recalibration_images: Training images that batch norm is recalibrated on while trimming.
    """

    evaluator: str
    make: MakeCallable
    is_accuracy: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    recalibration_images: int = RECALIBRATION_IMAGES

    def __post_init__(self) -> None:
        _require_images(self.recalibration_images)


AccuracySettings = SupernetSettings | ShortTrainingSettings | ZeroCostSettings | CallableSettings


def _require_images(images: int) -> None:
    if images < 1:
        raise InputError(f"accuracy.recalibration_images = {images}: must be at least 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainSettings:
    """What `nas.train network=...` begins with and learns from.

    Attributes:
        start: The supernet's weights, or fresh ones.
        teacher: The supernet's largest network always, or nobody; `auto`: the largest, where the network starts from
            the supernet and the largest leads by a point or more on validation.
    """

    start: Literal["inherited", "scratch"] = "inherited"
    teacher: Literal["auto", "largest", "none"] = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class AfterTrimSettings:
    """The long training after trimming.

    Attributes:
        teacher: The untrimmed network always, or nobody; `auto`: the untrimmed one, where it leads by a point or more
            on validation.
    """

    teacher: Literal["none", "untrimmed", "auto"] = "none"


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
class Design:
    """What is asked of hand-designed networks; None: what they were designed with.

    Attributes:
        width: Multiplier of the channels.
        size_px: Height and width of the image.
        image_channels, classes: Of the data.
        total_stride: How many times smaller than the image the last feature map is.
    """

    width: float | None = None
    size_px: int | None = None
    image_channels: int | None = None
    classes: int | None = None
    total_stride: int | None = None

    def __post_init__(self) -> None:
        for name, value in self.options().items():
            if value <= 0:
                raise InputError(f"design.{name} = {value:g}: must be above 0")

    def options(self) -> dict[str, float | int]:
        """What is given."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class CountSettings:
    """What `nas.profile counts_only=true` was asked for; no target, no data.

    Attributes:
        catalogue: Hand-designed networks by name.
        networks: Names in `catalogue`, or `ALL`.
        json: Where the counts are written; None: nowhere.
    """

    catalogue: Mapping[str, Callable[..., Arch]]
    networks: tuple[str, ...] | str
    design: Design
    json: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """One run.

    Attributes:
        make_space, load_data: What names in the configuration stand for, ready to be called.
        catalogue: Hand-designed networks by name.
        published: Their names -> top-1 accuracy that was reported, per cent, at which image size, and by whom.
        cheap_filter: Which candidates are worth the score of `accuracy`; None: all.
        latency: How much is measured for a table.
        budget_ms: Median milliseconds the network may take; None: geometric mean of the space's extremes.
        budgets: Budgets of `nas.sweep`, ms.
        storage: Where the study is kept: a file, an RDB URL or `grpc://host:port`; None: in the run's folder.
        workers: Networks that are evaluated side by side: by processes that search, by threads that trim.
        name: Folder of the run under `runs_dir`.
        network: A run folder, an architecture's file or a name in `catalogue`; None: what the command searches itself.
        weights: Of a network that `nas.trim` is given by file or name; None: it is trained first.
        networks: Names in `catalogue`, or `ALL`: what `nas.profile` compares; None: nothing.
        design: What is asked of hand-designed networks.
        batches: Batch sizes whose throughput `nas.profile` measures.
        run: A finished run whose front is drawn over the hand-designed networks; None: none.
        json: Where `nas.profile` writes what it found; None: nowhere.
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
    catalogue: Mapping[str, Callable[..., Arch]]
    published: Mapping[str, tuple[float, int, str]]
    accuracy: AccuracySettings
    cheap_filter: Filter | None
    searcher: SearcherSettings
    netadapt: TrimSettings
    trim: AfterTrimSettings
    finetune: Recipe
    train: TrainSettings
    budget_ms: float | None
    budgets: tuple[float, ...] | None
    storage: str | None
    workers: int
    name: str
    seed: int
    network: str | None
    weights: Path | None
    networks: tuple[str, ...] | str | None
    design: Design
    batches: tuple[int, ...]
    run: Path | None
    json: Path | None
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
        for batch in self.batches:
            if batch < 1 or self.batches.count(batch) > 1:
                raise InputError(f"batches: {batch} must be at least 1 and given once")
        if self.workers < 1:
            raise InputError(f"workers = {self.workers}: must be at least 1")
        if self.threads is not None and self.threads < 1:
            raise InputError(f"threads = {self.threads}: must be at least 1")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed = {self.seed}: must lie between 0 and {2**32 - 1}")
