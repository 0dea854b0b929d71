"""Search under a latency budget: an Optuna study of feasible, distinct networks that survives `kill -9`."""

from nas.searcher.bounds import Extremes, extremes, require_feasible
from nas.searcher.nearby import Latency, Priced, price
from nas.searcher.pareto import pareto_front
from nas.searcher.result import Candidate, SearchResult, trials_csv
from nas.searcher.samplers import SAMPLERS
from nas.searcher.search import Evaluate, search

__all__ = [
    "SAMPLERS",
    "Candidate",
    "Evaluate",
    "Extremes",
    "Latency",
    "Priced",
    "SearchResult",
    "extremes",
    "pareto_front",
    "price",
    "require_feasible",
    "search",
    "trials_csv",
]
