"""`RunReport`: everything a run found, as one typed value; `report.json` is its dict.

Latencies are milliseconds, accuracies shares in [0, 1]. The verdict and the error of the prediction follow from the
measurement and cannot be set apart from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas.convert import build
from nas.errors import InputError
from nas.files import read_json, write_json
from nas.target import Host, Target

SCHEMA = 1
_DERIVED = ("verdict", "prediction_error_pct")


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredMs:
    """Measured latency of the exported file: median, its confidence interval, 90th percentile, milliseconds."""

    median: float
    low: float
    high: float
    p90: float
    runs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A network that the search evaluated: predicted latency and inherited validation accuracy."""

    latency_ms: float
    accuracy: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ParetoRow:
    """A network of the Pareto front: predicted latency, inherited validation accuracy, costs.

    Attributes:
        note: A few words; empty for none.
        winner: Whether this is the network that was trimmed, trained and exported.
    """

    latency_ms: float
    accuracy: float
    params: int
    macs: int
    note: str = ""
    winner: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerLatency:
    """Predicted milliseconds of one kernel of the winner and the layer it belongs to."""

    layer: str
    kernel: str
    ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveRow:
    """One trim move, field for field `nas.netadapt`'s (which needs torch).

    Attributes:
        saved_ms: Predicted latency before minus after, milliseconds.
        accuracy_before, accuracy_after: Validation accuracy as scored while trimming.
        latency_ms: Predicted, of the network after the move, milliseconds.
    """

    width: str
    channels_before: int
    channels_after: int
    saved_ms: float
    accuracy_before: float
    accuracy_after: float
    latency_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TableSummary:
    """The latency table and how well it predicts networks held out of its calibration.

    Attributes:
        hash: Short hash of the table's content.
        rows: Kernels it holds.
        heldout_networks: Whole networks the error was taken on; 0 when there is no proof.
        mean_error_pct: Mean absolute error on them, per cent.
        max_error_pct: Largest absolute error on them, per cent.
        noise_pct: Disagreement of the measurements themselves, per cent: no table can be shown to be better.
    """

    path: str
    hash: str
    rows: int
    heldout_networks: int = 0
    mean_error_pct: float | None = None
    max_error_pct: float | None = None
    noise_pct: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SpaceSummary:
    """The search space and the predicted latency of its fastest and slowest member."""

    name: str
    fastest_ms: float
    slowest_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSummary:
    """The data set: class names, normalisation in [0, 1] units, images per split, their size and channels."""

    name: str
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train_images: int
    validation_images: int
    test_images: int
    size_px: int = 0
    channels: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchSummary:
    """What the search did.

    Attributes:
        trials: Distinct networks evaluated.
        inherited_accuracy: Validation accuracy that its best network was predicted to have, before it was trained on
            its own; None where scores are no accuracies.
        standard_error: Of that accuracy, by the number of validation images.
        evaluator: What predicted it.
    """

    trials: int
    inherited_accuracy: float | None
    standard_error: float | None = None
    evaluator: str = "supernet"

    @property
    def prediction(self) -> str:
        """The predicted accuracy in a few words."""
        if self.inherited_accuracy is None:
            return f"no accuracy is predicted by {self.evaluator}"
        error = f" ± {100 * self.standard_error:.1f} points" if self.standard_error is not None else ""
        return f"{self.inherited_accuracy:.1%}{error} ({self.evaluator})"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceRow:
    """A hand-designed network made for the run's data: latency by the run's table, not trained.

    Attributes:
        fits: Whether its predicted latency keeps the budget.
        guessed_pct: Share of that latency in kernels unlike any that was measured, per cent.
    """

    name: str
    latency_ms: float
    params: int
    macs: int
    fits: bool
    guessed_pct: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReport:
    """The result of a run.

    Attributes:
        budget_origin: Where the budget comes from: `given`, or how it was derived.
        predicted_ms: Latency of the exported network by the table's model.
        test_accuracy: Top-1 share of the exported network on the test split.
        validation_accuracy: The same on the validation split.
        host: The machine that measured; it may not be what the target's name says.
        files: Name -> path of what the run wrote.
        seconds: Stage -> wall seconds, all resumed parts together.
        pareto: The front, fastest first.
        evaluated: All networks of the search.
        dropped_proposals: Of trimming: those that were dropped because their score or loss was no number.
        layers: The winner's predicted latency, kernel by kernel.
        references: Hand-designed networks near the budget, fastest first.
        next: Commands to copy.
        notes: Lines for the reader.
    """

    name: str
    budget_ms: float
    budget_origin: str
    measured_ms: MeasuredMs
    predicted_ms: float
    test_accuracy: float
    validation_accuracy: float
    params: int
    macs: int
    target: Target
    host: Host
    seed: int
    files: Mapping[str, str]
    seconds: Mapping[str, float]
    table: TableSummary
    space: SpaceSummary
    data: DataSummary
    search: SearchSummary
    trim: tuple[MoveRow, ...]
    pareto: tuple[ParetoRow, ...]
    evaluated: tuple[Point, ...]
    layers: tuple[LayerLatency, ...]
    dropped_proposals: int = 0
    references: tuple[ReferenceRow, ...] = ()
    next: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """`PASS` when even the upper end of the measured median's interval keeps the budget, else `FAIL`."""
        return "PASS" if self.measured_ms.high <= self.budget_ms else "FAIL"

    @property
    def prediction_error_pct(self) -> float:
        """Predicted against measured median latency, per cent; negative when the prediction was too low."""
        return 100.0 * (self.predicted_ms / self.measured_ms.median - 1.0)

    @property
    def images_per_s(self) -> float:
        """Throughput: images of a batch over its measured median latency."""
        return 1000.0 * self.host.batch / self.measured_ms.median

    def to_dict(self) -> dict[str, Any]:
        """Return what `report.json` holds."""
        derived = {"verdict": self.verdict, "prediction_error_pct": round(self.prediction_error_pct, 3)}
        return {"schema": SCHEMA, **derived, **asdict(self)}


def from_dict(data: object, *, where: str = "report") -> RunReport:
    """Read a report back.

    Args:
        data: What `RunReport.to_dict` returned, through JSON.
        where: What to call the source in an error, usually the file's path.

    Raises:
        InputError: Another schema, an unknown or missing key, a value of the wrong type, or a verdict that its own
            figures contradict.
    """
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise InputError(f"{where}: schema {found!r}, this version reads {SCHEMA}")
    kept = {key: value for key, value in data.items() if key not in ("schema", *_DERIVED)}
    report = build(RunReport, kept, where)
    if not report.measured_ms.median > 0:
        raise InputError(f"{where}.measured_ms.median: {report.measured_ms.median} ms, must be positive")
    for key in _DERIVED:
        if data.get(key) != report.to_dict()[key]:
            raise InputError(f"{where}: {key} is {data.get(key)!r}, its figures say {report.to_dict()[key]!r}; edited?")
    return report


def save(report: RunReport, path: Path) -> Path:
    """Write `report.json`, whole."""
    return write_json(path, report.to_dict())


def load(path: Path) -> RunReport:
    """Read `report.json`.

    Raises:
        InputError: The file is missing, truncated, or not a report.
    """
    return from_dict(read_json(path), where=str(path))
