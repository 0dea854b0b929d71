"""What networks take on a target, for benchmarks that compare them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.arch import Arch
from nas.latency.session import measure_networks
from nas.progress import silent
from nas.target import Target


def medians_ms(target: Target, archs: Sequence[Arch], *, rounds: int, sessions: int = 1) -> list[float]:
    """Medians of networks that are timed in turn.

    Args:
        target: What they are timed on.
        archs: Networks.
        rounds: Runs of each in a session.
        sessions: Processes of which the mean is taken: what networks take beside each other differs by a percent from
            one process to the next.
    """
    runs = [
        measure_networks(target, archs, rounds=rounds, seed=session, progress=silent) for session in range(sessions)
    ]
    medians_us = np.mean([np.median(one.samples_us, axis=1) for one in runs], axis=0)
    return [float(us) / 1000 for us in medians_us]
