"""Torch readings of an `Arch`: stand-alone networks, the supernet, weight slicing, batch-norm folding."""

from nas.net.covering import covering
from nas.net.folding import fold
from nas.net.modules import Network, Supernet, network_of, slice_network
from nas.net.norm import Collector, Norm, Stats, batch_statistics, given
from nas.net.run import run
from nas.net.slicing import held, slice_weights
from nas.net.storage import load_network, save_network
from nas.net.tensors import parameter_shapes, statistic_shapes

__all__ = [
    "Collector",
    "Network",
    "Norm",
    "Stats",
    "Supernet",
    "batch_statistics",
    "covering",
    "fold",
    "given",
    "held",
    "load_network",
    "network_of",
    "parameter_shapes",
    "run",
    "save_network",
    "slice_network",
    "slice_weights",
    "statistic_shapes",
]
