"""TensorBoard scalars without TensorFlow or torch: the event file is made in memory and written whole.

Writing again replaces the file, so a resumed run never shows a curve twice.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from nas.files import write_whole
from nas.results.report import RunReport

FILE_NAME = "events.out.tfevents.0000000000.underbudget"  # TensorBoard looks for "tfevents" in the name
Scalars = Mapping[str, Sequence[tuple[int, float]]]  # tag -> (step, value)


def write_scalars(folder: Path, scalars: Scalars) -> Path:
    """Write curves for `tensorboard --logdir folder`; return the file.

    Args:
        folder: Where the event file goes; one folder is one run in TensorBoard.
        scalars: Tag -> points (step, value).

    Raises:
        StorageError: The file cannot be written.
    """
    from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415 - 0.3 s that only this function needs
    from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: PLC0415
    from tensorboard.summary.writer.record_writer import RecordWriter  # noqa: PLC0415

    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    writer.write(Event(file_version="brain.Event:2").SerializeToString())
    for tag, points in scalars.items():
        for step, value in points:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.write(Event(step=step, summary=summary).SerializeToString())
    return write_whole(folder / FILE_NAME, buffer.getvalue())


def run_scalars(report: RunReport, *, training_loss: Sequence[tuple[int, float]] = ()) -> Scalars:
    """Curves of a run: accuracy, best so far within the budget and latency by trial; training loss by step."""
    best, fitting = [], 0.0
    for step, point in enumerate(report.evaluated):
        if point.latency_ms <= report.budget_ms:
            fitting = max(fitting, point.accuracy)
        best.append((step, fitting))
    curves: Scalars = {
        "search/accuracy": [(step, point.accuracy) for step, point in enumerate(report.evaluated)],
        "search/best": [point for point in best if point[1] > 0],
        "search/latency_ms": [(step, point.latency_ms) for step, point in enumerate(report.evaluated)],
        "training/loss": training_loss,
    }
    return {tag: points for tag, points in curves.items() if points}
