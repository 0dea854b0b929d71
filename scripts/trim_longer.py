"""The untrimmed networks, trained in one piece for as long as the trimmed ones in total."""

from __future__ import annotations

from typing import Any

from trim_bench import Bench
from trim_cases import steps_in_all
from trim_jobs import Jobs, job
from trim_methods import LONGER, UNTRIMMED, train_alone
from trim_rows import most_lost

from nas.arch import to_json


def longer(bench: Bench, jobs: Jobs) -> dict[str, Any]:
    """Their rows added to those of the cases, and how far trimmed networks are under them."""
    wanted = {
        name: job(train_alone, name, to_json(bench.arch(name)), LONGER, steps_in_all(bench))
        for name in bench.size.networks
    }
    trained = jobs.done(bench, "trained_longer", wanted)
    rows = [row for row in bench.result["rows"] if row["method"] != LONGER]
    rows += [row | {"method": LONGER} | trained[row["network"]] for row in rows if row["method"] == UNTRIMMED]
    return {"rows": rows, "most_lost_at_0.6_to_longer_points": most_lost(rows, LONGER)}
