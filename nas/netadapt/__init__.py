"""NetAdapt: narrow a trained network, one named width at a time, until it meets its latency budget."""

from nas.netadapt.checkpoint import Move
from nas.netadapt.importance import Calibration, Weighing, importance, strongest, weigher
from nas.netadapt.moves import (
    Latency,
    Prepare,
    Proposal,
    least,
    narrowest,
    propose,
    require_reachable,
    shrink,
    trimmable,
)
from nas.netadapt.narrowing import narrow
from nas.netadapt.trim import Rule, Score, TrimResult, TrimSettings, Tune, trim
from nas.netadapt.tuning import tuner
from nas.netadapt.widths import WidthSpace

__all__ = [
    "Calibration",
    "Latency",
    "Move",
    "Prepare",
    "Proposal",
    "Rule",
    "Score",
    "TrimResult",
    "TrimSettings",
    "Tune",
    "Weighing",
    "WidthSpace",
    "importance",
    "least",
    "narrow",
    "narrowest",
    "propose",
    "require_reachable",
    "shrink",
    "strongest",
    "trim",
    "trimmable",
    "tuner",
    "weigher",
]
