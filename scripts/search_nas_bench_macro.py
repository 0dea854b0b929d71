"""Search a tabular benchmark through the library: NAS-Bench-Macro (arXiv 2103.11922), 6,561 networks; see `find`.

    python scripts/search_nas_bench_macro.py [../shared/data/nas_bench_macro.npz] [--storage FILE_OR_URL] [--workers 2]

Eight layers choose between skip (0), an inverted residual k3 e3 (1) and k5 e6 (2); every network's accuracy is known
from training, so `evaluate` is a look-up. The benchmark comes without latencies: here a layer takes its MACs on a
device that does 10 of them a nanosecond. With measured ones, only the table changes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nas.searcher import AdditiveLatency, ChoiceSpace, SearchResult, search

DATA = Path(__file__).parents[2] / "shared" / "data" / "nas_bench_macro.npz"
OPTIONS, MACS_PER_MS = (0, 1, 2), 10e6
Code = tuple[int, ...]


def find(data: Path, storage: str | None = None, workers: int = 1) -> SearchResult:
    """Find the best network under three budgets that share 60 evaluations."""
    space, accuracy, latency = macro_space(data)
    return search(
        space,
        accuracy.__getitem__,
        latency,
        budgets_ms=[4.0, 6.0, 8.0],
        trials=60,
        seed=0,
        storage=storage,
        workers=workers,
    )


def macro_space(data: Path) -> tuple[ChoiceSpace, dict[Code, float], AdditiveLatency]:
    """The space, the mean accuracy of every network in per cent, and a table of milliseconds for every choice."""
    table = np.load(data)
    codes = [tuple(code) for code in table["codes"].tolist()]
    accuracy = dict(zip(codes, table["acc"].mean(axis=1).tolist(), strict=True))
    same = dict(zip(codes, table["canonical"].tolist(), strict=True))  # equal for networks that compute the same
    ms = dict(zip(codes, (table["macs_recounted"] / MACS_PER_MS).tolist(), strict=True))
    skip = codes[0]
    alone = {i: {o: (*skip[:i], o, *skip[i + 1 :]) for o in OPTIONS} for i in range(len(skip))}
    prices = {f"layer{i}": {o: ms[code] - ms[skip] for o, code in layer.items()} for i, layer in alone.items()}
    space = ChoiceSpace("nas_bench_macro", dict.fromkeys(prices, OPTIONS), as_code, key=same.__getitem__)
    return space, accuracy, AdditiveLatency(prices, base_ms=ms[skip])


def as_code(choices: dict[str, int]) -> Code:
    """What `evaluate` receives."""
    return tuple(choices.values())


def main() -> None:
    """Print the winners."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", nargs="?", type=Path, default=DATA)
    parser.add_argument("--storage")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    result = find(arguments.data, arguments.storage, arguments.workers)
    for winner in result.winners:
        found = winner.candidate
        print(f"budget {winner.budget_ms:g} ms: {found.arch} {found.accuracy:.2f} % in {found.latency_ms:.3f} ms")
    print(f"{len(result.trials)} networks evaluated")


if __name__ == "__main__":
    main()
