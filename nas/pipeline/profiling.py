"""What a space or a network takes on a target: no training, a few seconds."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np

from nas.arch import Arch, cost
from nas.deploy import verify
from nas.pipeline.catalogue import batch_rates
from nas.pipeline.designs import named_arch
from nas.pipeline.pricing import Pricer
from nas.progress import silent
from nas.searcher import extremes
from nas.settings import Settings
from nas.space import SearchSpace, typical, uniform

SAMPLED = 500
ANCHORS = 5
BATCH_ROUNDS = 6
TOP = 10  # rows of the table of kernels


def profile_lines(settings: Settings, space: SearchSpace, pricer: Pricer) -> list[str]:
    """The lines of `nas.profile`: of the network that `settings.network` names, or of the space."""
    if settings.network is None:
        return _space_lines(settings, space, pricer)
    arch = named_arch(settings.network, settings.catalogue, settings.design)
    rng = random.Random(settings.seed)
    anchors = [space.build(typical(space, rng)) for _ in range(ANCHORS)]
    predicted_ms = pricer(arch)
    lines = [_cost_line(settings.network, arch), f"predicted {predicted_ms:.4g} ms"]
    if pricer.local:
        timing = verify(settings.target, arch, anchors=anchors, predict_ms=pricer, progress=silent).timing
        measured_ms = timing.median_us / 1000
        error = predicted_ms / measured_ms - 1
        lines.append(
            f"measured {measured_ms:.4g} ms [{timing.low_us / 1000:.4g}, {timing.high_us / 1000:.4g}], "
            f"p90 {timing.p90_us / 1000:.4g}, {timing.runs} runs; predicted {error:+.1%}"
        )
        rates = batch_rates(settings, {"": arch}, rounds=BATCH_ROUNDS, progress=silent).get("", ())
        lines += [f"batch {rate.batch}: {rate.ms:.4g} ms, {rate.images_per_s:.4g} images/s" for rate in rates]
    return [*lines, *_where_time_goes(pricer, arch)]


def _space_lines(settings: Settings, space: SearchSpace, pricer: Pricer) -> list[str]:
    bounds = extremes(space, pricer)
    rng = random.Random(settings.seed)
    archs = [space.build(uniform(rng)) for _ in range(SAMPLED)]
    pricer.prepare(archs)
    sampled_ms = np.array([pricer(arch) for arch in archs])
    fastest, slowest = bounds.fastest, bounds.slowest
    lines = [
        f"{space.name} on {settings.target.name}, predicted milliseconds",
        f"  fastest {fastest.latency_ms:.4g}, median {np.median(sampled_ms):.4g}, slowest {slowest.latency_ms:.4g}",
    ]
    if settings.budget_ms is not None:
        fits = float((sampled_ms <= settings.budget_ms).mean())
        verdict = "can be met" if settings.budget_ms >= fastest.latency_ms else "cannot be met by any network"
        lines.append(f"  budget {settings.budget_ms:g} ms {verdict}; {fits:.1%} of random networks fit")
    middle = archs[int(np.argsort(sampled_ms)[SAMPLED // 2])]
    return [*lines, _cost_line("the median network", middle), *_where_time_goes(pricer, middle)]


def _cost_line(name: str, arch: Arch) -> str:
    costs = cost(arch)
    return (
        f"{name}: {costs.params:,} parameters, {costs.macs / 1e6:.2f} MMACs, "
        f"{costs.traffic_bytes / 2**20:.2f} MiB of memory traffic, {costs.macs / costs.traffic_bytes:.2f} MACs a byte, "
        f"{arch.size_px} px"
    )


def _where_time_goes(pricer: Pricer, arch: Arch) -> list[str]:
    shares = pricer.breakdown(arch)
    total_ms = sum(share.ms for share in shares)
    kinds: dict[str, float] = defaultdict(float)
    for share in shares:
        kinds[share.kernel.split()[0]] += share.ms
    by_kind = ", ".join(f"{kind} {ms / total_ms:.0%}" for kind, ms in sorted(kinds.items(), key=lambda item: -item[1]))
    top = sorted(shares, key=lambda share: -share.ms)[:TOP]
    return [
        f"by kind: {by_kind}",
        *(f"  {share.ms:8.4f} ms {share.ms / total_ms:5.1%}  {share.layer:<20} {share.kernel}" for share in top),
    ]
