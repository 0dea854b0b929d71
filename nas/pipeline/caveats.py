"""What a reader of a run's prices should know: every doubt about its latency table, a line each."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from nas.latency.drift import Anchored
from nas.latency.measure import space_key
from nas.latency.noise import advice
from nas.latency.table import LatencyTable
from nas.settings import Settings
from nas.space import SearchSpace
from nas.target import Host


def caveats(
    table: LatencyTable, space: SearchSpace, settings: Settings, *, here: Host, path: Path, anchored: Anchored | None
) -> tuple[str, ...]:
    """Doubts about a table.

    Args:
        table: The run's.
        space: What it prices.
        settings: What was asked for.
        here: This machine.
        path: The file that the table came from.
        anchored: How its level was checked before the run; None: it was not.
    """
    noise = anchored.noise if anchored else table.noise
    lines = [*_host(table, settings, here, path), *_level(settings, anchored), advice(noise), *_proof(table, space)]
    return tuple(filter(None, lines))


def _host(table: LatencyTable, settings: Settings, here: Host, path: Path) -> list[str]:
    lines, target = [], settings.target
    if table.host != here:
        pairs = zip(asdict(table.host).items(), asdict(here).values(), strict=True)
        unlike = [f"{name} {found!r}, here {wanted!r}" for (name, found), wanted in pairs if found != wanted]
        lines.append(f"prices of another machine, by allow_mismatch=true: {'; '.join(unlike)} ({path})")
    if not here.matches(target):
        lines.append(
            f"target {target.name} promises a {target.vendor} CPU, this machine is {here.vendor} ({here.cpu}): "
            f"measured here all the same, filed under this host in {path}"
        )
    return lines


def _level(settings: Settings, anchored: Anchored | None) -> list[str]:
    if anchored is None:
        return ["the level of the table was not checked, by allow_mismatch=true"] if settings.allow_mismatch else []
    if not anchored.recalibrated:
        return []
    drift = f"{anchored.drift:+.1%}"
    return [f"the machine was {drift} off the latency that the table was calibrated to: recalibrated for this run"]


def _proof(table: LatencyTable, space: SearchSpace) -> list[str]:
    calibration = table.calibrations.get(space_key(space))
    if calibration is None:
        return [f"the table was never calibrated for the space {space.name}; its level may be off"]
    proof = calibration.proof
    if proof.good:
        return []
    error = f"{proof.mape_pct:.1f} % mean error on {proof.networks} held-out networks"
    return [f"the latency table is poor: {error}; measure again on a quiet machine"]
