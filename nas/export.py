"""Export the trained network to ONNX and check that it answers like the network that was trained.

Examples:
  python -m nas.export network=runs/NAME
"""

from __future__ import annotations

from collections.abc import Sequence

from nas.cli import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run("export", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
