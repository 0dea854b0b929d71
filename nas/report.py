"""Show the report of a run again: the verdict, the Pareto table, the files.

Examples:
  python -m nas.report +target=intel_cpu budget_ms=0.3
  python -m nas.report +target=intel_cpu network=runs/NAME
"""

from __future__ import annotations

from collections.abc import Sequence

from nas.cli import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run("report", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
