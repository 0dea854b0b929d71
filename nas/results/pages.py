"""What a reader finds of a report in the run folder: the page, and its pictures and tables as files of their own."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, fields

from nas.files import write_whole
from nas.results.html import page
from nas.results.report import MoveRow, RunReport
from nas.results.run_dir import RunDir
from nas.results.svg import pareto_svg
from nas.results.trim_svg import trim_svg


def write_pages(run: RunDir, report: RunReport) -> None:
    """Write them; where nothing was trimmed there is neither a picture nor a table of moves.

    Raises:
        StorageError: A file cannot be written.
    """
    write_whole(run.html, page(report))
    write_whole(run.pareto, pareto_svg(report))
    if report.trim:
        write_whole(run.trim_svg, trim_svg(report.trim, budget_ms=report.budget_ms))
        write_whole(run.moves, moves_csv(report.trim))


def moves_csv(moves: Sequence[MoveRow]) -> str:
    """The moves, one a line, numbered from 1.

    >>> move = MoveRow(
    ...     width="s1", channels_before=32, channels_after=24, saved_ms=0.5, accuracy_before=0.9, accuracy_after=0.8,
    ...     latency_ms=2.0
    ... )
    >>> moves_csv([move]).splitlines()[1]
    '1,s1,32,24,0.5,0.9,0.8,2.0'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["move", *(field.name for field in fields(MoveRow))])
    writer.writerows([number, *astuple(move)] for number, move in enumerate(moves, start=1))
    return text.getvalue()
