"""Trim the channel widths of a network to a latency budget (NetAdapt), then train, export and time it.

The network is that of a finished run, a hand-designed one by name, or an architecture's file. One by name or file takes
its weights from a file (safetensors of this project, or those that torchvision and timm publish), or is trained first;
its own widths are the space that the latency table is measured and proved for. A budget out of reach ends with exit
code 3 and the least latency that narrowing can reach, before anything is trained.

Examples:
  python -m nas.trim network=runs/NAME budget_ms=0.3
  python -m nas.trim +target=amd_cpu network=mobilenet_v3_large design.size_px=28 design.total_stride=8 budget_ms=0.8
  python -m nas.trim +target=amd_cpu network=net.json weights=net.safetensors trim.teacher=auto budget_ms=0.8
"""

from __future__ import annotations

from collections.abc import Sequence

from nas.cli import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run("trim", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
