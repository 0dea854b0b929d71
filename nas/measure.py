"""Measure the latency table of a space on a target, and check it on whole networks it has not seen.

The proof is printed and, with its pictures, written as a page beside the table.

Examples:
  python -m nas.measure +target=intel_cpu
  python -m nas.measure +target=intel_cpu space=mobilenet_v3_224px
"""

from __future__ import annotations

from collections.abc import Sequence

from nas.cli import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run("measure", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
