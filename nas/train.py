"""Train the supernet of a space, which every search on the same data shares, or one network to its end.

A network inherits the supernet's weights and learns from its largest network, or starts from fresh weights; the better
of before and after is kept. `network` is a run folder, an architecture's file or the name of a hand-designed network.

Examples:
  python -m nas.train +target=intel_cpu
  python -m nas.train +target=intel_cpu device=cuda accuracy.strategy=sandwich
  torchrun --nproc_per_node=4 -m nas.train +target=intel_cpu device=cuda
  python -m nas.train network=runs/x/arch.json finetune.epochs=100
  python -m nas.train +target=intel_cpu network=mobilenet_v3_small train.start=scratch
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from nas.cli import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code. Of the processes that `torchrun` starts, the first alone prints."""
    if os.environ.get("RANK", "0") == "0":
        return run("train", __doc__, argv)
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stderr(nowhere),
        contextlib.redirect_stdout(nowhere),
    ):
        return run("train", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
