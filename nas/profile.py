"""Tell how fast the networks of a space are on a target, and where their time goes; nothing is trained.

Is a budget satisfiable? This answers within the time of one latency table. What does the target think of the networks
of the literature? `networks=all`, or `network=` with a name, predicts them from probes alone (a table of its own,
measured once in about four minutes), measures them and says what makes them slow; it writes a JSON file and a picture.

Examples:
  python -m nas.profile +target=intel_cpu
  python -m nas.profile +target=intel_cpu budget_ms=0.1
  python -m nas.profile +target=intel_cpu network=runs/NAME
  python -m nas.profile +target=intel_cpu network=mobilenet_v3_small
  python -m nas.profile +target=intel_cpu networks=all json=networks.json
  python -m nas.profile +target=intel_cpu networks=[mobilenet_v2_1.0,shufflenet_v2_1.0x] design.size_px=160
  python -m nas.profile networks=all counts_only=true json=counts.json
"""

from __future__ import annotations

from collections.abc import Sequence

from nas.cli import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run("profile", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
