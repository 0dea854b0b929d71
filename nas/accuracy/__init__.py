"""Arch -> accuracy: what the search asks before anything is trained on its own."""

from nas.accuracy.supernet import Evaluate, SupernetEvaluator, standard_error
from nas.accuracy.validation import ValidationScore
from nas.training import accuracy

__all__ = ["Evaluate", "SupernetEvaluator", "ValidationScore", "accuracy", "standard_error"]
