"""Arch -> how good it is: supernet, short training, zero-cost scores, any function; a blend of two, a filter."""

from nas.accuracy.blending import BLEND_SHARE, REFERENCES, Blended
from nas.accuracy.callables import CallableEvaluator
from nas.accuracy.evaluator import Evaluate, Evaluator, standard_error
from nas.accuracy.filtering import Filter, Filtered
from nas.accuracy.inputs import RECALIBRATION_IMAGES
from nas.accuracy.kept import Kept
from nas.accuracy.proxy import PROXY_IMAGES, ProxyEvaluator, require_proxy
from nas.accuracy.short_training import ShortTrainingEvaluator
from nas.accuracy.supernet import SupernetEvaluator
from nas.accuracy.validation import ValidationScore
from nas.accuracy.zero_cost import PROXIES
from nas.training import accuracy, require_statistics

__all__ = [
    "BLEND_SHARE",
    "PROXIES",
    "PROXY_IMAGES",
    "RECALIBRATION_IMAGES",
    "REFERENCES",
    "Blended",
    "CallableEvaluator",
    "Evaluate",
    "Evaluator",
    "Filter",
    "Filtered",
    "Kept",
    "ProxyEvaluator",
    "ShortTrainingEvaluator",
    "SupernetEvaluator",
    "ValidationScore",
    "accuracy",
    "require_proxy",
    "require_statistics",
    "standard_error",
]
