"""The whole job: latency table, supernet, search, trimming, fine-tuning, export, verification, report.

The same command again goes on where the last one stopped and reuses what is finished.

Examples:
  python -m nas.search +target=intel_cpu
  python -m nas.search +target=intel_cpu budget_ms=0.3
  python -m nas.search +target=intel_cpu data=folder data.root=~/my_images
  python -m nas.search +target=intel_cpu -m budget_ms=0.2,0.3,0.5
"""

from __future__ import annotations

from collections.abc import Sequence

from nas.cli import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run("search", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
