"""Tell how fast the networks of a space are on a target, and where their time goes; nothing is trained.

Is a budget satisfiable? This answers within the time of one latency table.

Examples:
  python -m nas.profile +target=intel_cpu
  python -m nas.profile +target=intel_cpu budget_ms=0.1
  python -m nas.profile +target=intel_cpu network=runs/NAME
  python -m nas.profile +target=intel_cpu network=mobilenet_v3_small space=mobilenet_v3_224px
"""

from __future__ import annotations

from collections.abc import Sequence

from nas.cli import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run("profile", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
