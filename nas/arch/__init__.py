"""A network as a value: ops, layers against named widths, costs, JSON and a canonical digest."""

from nas.arch.arch import Arch
from nas.arch.builder import Builder
from nas.arch.cost import Cost, cost, op_macs, op_params, op_traffic_bytes
from nas.arch.digest import digest
from nas.arch.layer import CLASSES, IMAGE, Layer
from nas.arch.op import LEAKY_SLOPE, Act, Kind, Op
from nas.arch.serial import from_json, to_json

__all__ = [
    "CLASSES",
    "IMAGE",
    "LEAKY_SLOPE",
    "Act",
    "Arch",
    "Builder",
    "Cost",
    "Kind",
    "Layer",
    "Op",
    "cost",
    "digest",
    "from_json",
    "op_macs",
    "op_params",
    "op_traffic_bytes",
    "to_json",
]
