"""Size as a score: bigger is better. The control that every zero-cost score has to beat."""

from __future__ import annotations

from nas.arch import cost
from nas.net import Network


def macs(network: Network) -> float:
    """Multiply-accumulates of one image."""
    return float(cost(network.arch).macs)


def params(network: Network) -> float:
    """Parameters."""
    return float(cost(network.arch).params)
