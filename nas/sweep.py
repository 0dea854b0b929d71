"""Several budgets in one study with shared evaluations: a network for each, and one table of all.

The same command again goes on where the last one stopped; a budget that no network meets is named and skipped.

Examples:
  python -m nas.sweep +target=intel_cpu budgets=[0.2,0.3,0.5]
  python -m nas.sweep +target=intel_cpu budgets=[0.2,0.3,0.5] workers=4
  python -m nas.sweep +target=intel_cpu budgets=[0.2,0.3,0.5] storage=postgresql://user@host/studies
"""

from __future__ import annotations

from collections.abc import Sequence

from nas.cli import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run("sweep", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
