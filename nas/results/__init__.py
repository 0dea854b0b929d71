"""What a run leaves behind: its directory, its report, the last screen, the HTML page, TensorBoard curves."""

from nas.results.html import page
from nas.results.live import progress_reporter
from nas.results.pages import moves_csv, write_pages
from nas.results.proof_svg import proof_svg
from nas.results.report import (
    DataSummary,
    LayerLatency,
    MeasuredMs,
    MoveRow,
    ParetoRow,
    Point,
    ReferenceRow,
    RunReport,
    SearchSummary,
    SpaceSummary,
    TableSummary,
    from_dict,
    load,
    save,
)
from nas.results.run_dir import RunDir, open_run
from nas.results.svg import pareto_svg
from nas.results.sweep import SweepRow, save_sweep, sweep_lines, sweep_rows
from nas.results.table_report import table_lines, table_page
from nas.results.tensorboard import run_scalars, write_scalars
from nas.results.terminal import screen, show
from nas.results.trim_svg import trim_svg

__all__ = [
    "DataSummary",
    "LayerLatency",
    "MeasuredMs",
    "MoveRow",
    "ParetoRow",
    "Point",
    "ReferenceRow",
    "RunDir",
    "RunReport",
    "SearchSummary",
    "SpaceSummary",
    "SweepRow",
    "TableSummary",
    "from_dict",
    "load",
    "moves_csv",
    "open_run",
    "page",
    "pareto_svg",
    "progress_reporter",
    "proof_svg",
    "run_scalars",
    "save",
    "save_sweep",
    "screen",
    "show",
    "sweep_lines",
    "sweep_rows",
    "table_lines",
    "table_page",
    "trim_svg",
    "write_pages",
    "write_scalars",
]
