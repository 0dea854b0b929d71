"""Hand-designed networks beside a search: made for its data, priced by its table, not trained."""

from __future__ import annotations

import inspect
import math
from dataclasses import replace

from nas.arch import Arch, cost
from nas.data import Dataset
from nas.errors import InputError
from nas.latency.model import LacksRowsError, LatencyModel
from nas.pipeline.designs import designed, distinct
from nas.pipeline.pricing import Pricer
from nas.results.report import ReferenceRow
from nas.settings import Design, Settings

SHOWN = 12  # nearest to the budget
MOST_GUESSED = 0.2  # share of a network's time in kernels unlike any that was measured
STRIDES = ((96, 32), (48, 16), (0, 8))  # images of at least so many pixels -> total stride


def references_of(
    settings: Settings, pricer: Pricer, dataset: Dataset, *, budget_ms: float
) -> tuple[ReferenceRow, ...]:
    """The hand-designed networks nearest to a budget, fastest first.

    Only those that can be made for the data's images and that the run's table prices as it stands, but for a stem or
    so: nothing is measured for them. Published accuracies are of other data, so none is given.

    Args:
        settings: Which networks there are.
        pricer: The run's prices.
        dataset: What they must read and tell apart.
        budget_ms: The run's budget.
    """
    archs = distinct(_made_for(dataset, settings))
    model = replace(pricer.model, most_sd=math.inf)
    priced = {name: found for name, arch in archs.items() if (found := _priced(arch, model, pricer)) is not None}
    nearest = sorted(priced, key=lambda name: abs(priced[name][0] - budget_ms))[:SHOWN]
    rows = []
    for name in sorted(nearest, key=lambda name: priced[name][0]):
        (latency_ms, guessed), costs = priced[name], cost(archs[name])
        rows.append(
            ReferenceRow(
                name=name,
                latency_ms=latency_ms,
                params=costs.params,
                macs=costs.macs,
                fits=latency_ms <= budget_ms,
                guessed_pct=100 * guessed,
            )
        )
    return tuple(rows)


def _priced(arch: Arch, model: LatencyModel, pricer: Pricer) -> tuple[float, float] | None:
    """Milliseconds of a network, and which share is of kernels unlike any measured one; None where that is too much."""
    try:
        shares = model.breakdown(arch)
    except LacksRowsError:
        return None
    unlike = set(pricer.model.unlike(share.kernel for share in shares))
    total_ms = sum(share.ms for share in shares)
    guessed = sum(share.ms for share in shares if share.kernel in unlike) / total_ms
    return (total_ms, guessed) if math.isfinite(total_ms) and guessed <= MOST_GUESSED else None


def _made_for(dataset: Dataset, settings: Settings) -> dict[str, Arch]:
    """The members of the mobile families, whose strides can be fitted to small images."""
    stride = next(stride for least_px, stride in STRIDES if dataset.size_px >= least_px)
    design = Design(
        size_px=dataset.size_px,
        image_channels=dataset.channels,
        classes=len(dataset.classes),
        total_stride=stride,
    )
    found = {}
    for name, make in settings.catalogue.items():
        if "total_stride" in inspect.signature(make).parameters:
            try:
                found[name] = designed(name, make, design)
            except InputError:
                continue  # its kernels or strides need larger images
    return found
