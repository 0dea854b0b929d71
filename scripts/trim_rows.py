"""The rows of the cases, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trim_bench import RATIOS, SESSIONS, Bench
from trim_methods import NETADAPT, ONE_SHOT, PRUNING, UNIFORM, UNTRIMMED

from nas.arch import Arch, cost


def key_of(method: str, ratio: float) -> str:
    """What the network of a case is kept as."""
    return f"{method}-{ratio:g}"


def trim_seconds(bench: Bench, name: str, ratio: float) -> float:
    """Of trimming down to a ratio, through those before it; attempts that were given up do not count."""
    return sum(
        float(
            bench.result["trimmed"][f"{name} {one:g} attempt {bench.result['attempts'][f'{name} {one:g}']}"]["seconds"]
        )
        for one in RATIOS
        if one >= ratio
    )


def timed_rows(bench: Bench, name: str) -> list[dict[str, Any]]:
    """One row a case of a network.

    Those of a ratio are timed in turn with the network before trimming, and with no others: among many networks each
    finds its weights outside the caches, which costs a large one more than its share.
    """
    trained = bench.result["trained"]
    base, rows = trained[f"{name} base"], list[dict[str, Any]]()
    for ratio in RATIOS:
        methods = [
            method for method in (NETADAPT, UNIFORM, ONE_SHOT, PRUNING) if f"{name} {key_of(method, ratio)}" in trained
        ]
        archs: list[Arch] = [bench.arch(name), *(bench.saved_arch(name, key_of(one, ratio)) for one in methods)]
        whole_ms, *ms = bench.measured_ms(archs, sessions=SESSIONS)
        scale = whole_ms / bench.model(name).arch_ms(archs[0])
        if not rows:
            own = {"measured_ms": whole_ms, "budget_ms": whole_ms, "predicted_ms": whole_ms}
            rows.append(_row(name, UNTRIMMED, 1.0, archs[0]) | own | base)
        for method, arch, own_ms in zip(methods, archs[1:], ms, strict=True):
            case = trained[f"{name} {key_of(method, ratio)}"]
            rows.append(
                _row(name, method, ratio, arch)
                | {
                    "budget_ms": ratio * whole_ms,
                    "measured_ms": own_ms,
                    "predicted_ms": scale * bench.model(name).arch_ms(arch),
                    "untrimmed_ms": whole_ms,
                    "accuracy": case["accuracy"],
                    "seconds": case["seconds"] + (trim_seconds(bench, name, ratio) if method == NETADAPT else 0.0),
                }
            )
    return rows


def _row(name: str, method: str, ratio: float, arch: Arch) -> dict[str, Any]:
    costs = cost(arch)
    return {"network": name, "method": method, "ratio": ratio, "macs": costs.macs, "params": costs.params}


def verdict(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures that are held to bars."""
    ours = [row for row in rows if row["method"] == NETADAPT]
    leads = {
        (row["network"], row["ratio"], rival["method"]): row["accuracy"] - rival["accuracy"]
        for row in ours
        for rival in rows
        if (rival["network"], rival["ratio"]) == (row["network"], row["ratio"]) and rival["method"] != NETADAPT
    }
    realised = [
        (row["untrimmed_ms"] - row["measured_ms"]) / (row["untrimmed_ms"] - row["predicted_ms"]) for row in ours
    ]
    return {
        "over_budget": sum(row["measured_ms"] > row["budget_ms"] for row in ours),
        "least_use_pct": 100 * min(row["measured_ms"] / row["budget_ms"] for row in ours),
        "least_realised_pct": 100 * min(realised),
        "rivals_above": sum(lead < 0 for lead in leads.values()),
        "leads_points": {" ".join(map(str, key)): 100 * lead for key, lead in leads.items()},
        "most_lost_at_0.6_points": most_lost(rows, UNTRIMMED),
    }


def most_lost(rows: Sequence[dict[str, Any]], method: str) -> float:
    """Points that trimming to 0.6 of the latency is under the rows of a method, at most."""
    accuracies = {row["network"]: row["accuracy"] for row in rows if row["method"] == method}
    ours = [row for row in rows if (row["method"], row["ratio"]) == (NETADAPT, 0.6)]
    return 100 * max(float(accuracies[row["network"]] - row["accuracy"]) for row in ours)
