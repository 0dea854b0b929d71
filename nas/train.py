"""Train the supernet of a space, which every search on the same data shares.

Examples:
  python -m nas.train +target=intel_cpu
  python -m nas.train +target=intel_cpu device=cuda
"""

from __future__ import annotations

from collections.abc import Sequence

from nas.cli import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run("train", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
