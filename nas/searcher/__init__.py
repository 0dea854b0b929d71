"""Search under a latency budget: an Optuna study of feasible, distinct networks that survives `kill -9`."""

from nas.searcher.bounds import Extremes, extremes, require_feasible
from nas.searcher.choice_space import AdditiveLatency, ChoiceSpace
from nas.searcher.nearby import Latency, Priced, price
from nas.searcher.pareto import pareto_front
from nas.searcher.pruning import Pruner
from nas.searcher.result import Candidate, SearchResult, Winner, trials_csv
from nas.searcher.samplers import SAMPLERS
from nas.searcher.search import search
from nas.searcher.storages import Storage
from nas.searcher.worker import Evaluate

__all__ = [
    "SAMPLERS",
    "AdditiveLatency",
    "Candidate",
    "ChoiceSpace",
    "Evaluate",
    "Extremes",
    "Latency",
    "Priced",
    "Pruner",
    "SearchResult",
    "Storage",
    "Winner",
    "extremes",
    "pareto_front",
    "price",
    "require_feasible",
    "search",
    "trials_csv",
]
