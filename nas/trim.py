"""Trim the channel widths of a finished run's network to another budget (NetAdapt), then train and export it.

Examples:
  python -m nas.trim network=runs/NAME budget_ms=0.3
"""

from __future__ import annotations

from collections.abc import Sequence

from nas.cli import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run("trim", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
