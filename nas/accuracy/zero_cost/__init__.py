"""Scores of fresh networks that need no training: pure functions of a `Network` and, most, a batch of images."""

from nas.accuracy.zero_cost.grad_norm import grad_norm
from nas.accuracy.zero_cost.naswot import naswot
from nas.accuracy.zero_cost.proxies import PROXIES, Proxy, fresh
from nas.accuracy.zero_cost.size import macs, params
from nas.accuracy.zero_cost.synflow import synflow
from nas.accuracy.zero_cost.zico import zico

__all__ = ["PROXIES", "Proxy", "fresh", "grad_norm", "macs", "naswot", "params", "synflow", "zico"]
