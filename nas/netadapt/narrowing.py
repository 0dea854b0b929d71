"""A narrower network out of the filters that weigh most."""

from __future__ import annotations

import torch

from nas.arch import Arch
from nas.net import Network, network_of, slice_weights
from nas.netadapt.importance import Importance, strongest


def narrow(network: Network, arch: Arch, weights: Importance) -> Network:
    """Make a network that has the strongest filters of each width that is narrower.

    Args:
        network: Has all of `arch`'s layers, at least as wide; left as it is.
        arch: The narrower network.
        weights: Importance of the filters; needed for the widths that differ.

    Raises:
        InputError: `network` does not hold `arch`.
    """
    keep = {
        width: strongest(weights[width], channels)
        for width, channels in arch.widths.items()
        if channels < network.arch.widths[width]
    }
    with torch.no_grad():
        child = network_of(arch, slice_weights(network.arch, network.tensors(), arch, keep))
    return child.to(next(network.parameters()).device).eval()
