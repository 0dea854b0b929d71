"""Many workers on one study: what they cost in evaluations, whether they repeat or crash. Parts of benchmark_search.py.

By hand, with the example's stand-in latencies: python scripts/benchmark_workers.py [--runs N] [--postgresql]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from search_nas_bench_macro import DATA, macro_space

from nas.searcher import ChoiceSpace, Latency, search
from nas.searcher.budget_sampler import BudgetSampler, candidates_of
from nas.space import Space, decisions, record, replay
from search_spaces.mobilenet_v3 import MobileNetV3Space, StageSpace

WORKERS = 8
TICK_S = 0.5
POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A search whose answer is known. Everything in it can be pickled.

    Attributes:
        accuracy: Per cent, of what the space builds.
        target: A network with this accuracy or more ends the count of evaluations.
        trials: Evaluations of a run.
        evaluation_s: How long one takes.
    """

    space: Space[Any]
    accuracy: Callable[[Any], float]
    latency: Latency
    budget_ms: float
    target: float
    trials: int = 80
    evaluation_s: float = 0.4


@dataclass(frozen=True, slots=True)
class _Logged:
    """Evaluates and appends begin and end to a file, apart from what the study says."""

    bench: Bench
    log: Path
    slow: bool

    def __call__(self, network: Any) -> float:
        began_s, accuracy = time.time(), self.bench.accuracy(network)
        if self.slow:
            time.sleep(self.bench.evaluation_s)
        space = self.bench.space
        key = space.key(network) if isinstance(space, ChoiceSpace) else network
        line = json.dumps([began_s, time.time(), accuracy, repr(key)]) + "\n"
        with self.log.open("a") as file:
            file.write(line)
        return accuracy


def workers_figures(benches: Sequence[Bench], storages: Callable[[Path, int], str], *, runs: int) -> dict[str, Any]:
    """Compare 8 workers with one.

    Args:
        benches: Searches; every run takes the next.
        storages: A fresh storage for a folder and a run's number.
        runs: How many searches.

    Returns:
        `workers_slowdown` (evaluations until the target was found, 8 workers over 1, medians over runs),
        `workers_slowdown_of_means` (the same of means), `duplicates` (networks evaluated twice), `crashes` (workers
        that did not end well), `start_spread_ms` (median and largest time between the first and the last worker's call
        of `search`), `evaluations` (of every run, alone and together; None where the target was not found).
    """
    alone = [_alone(benches[run % len(benches)], run) for run in range(runs)]
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(WORKERS), context.SimpleQueue()
    together, spreads, duplicates, crashes = [], [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        plan = [
            (benches[run % len(benches)], run, storages(Path(folder) / str(run), run), Path(folder) / f"{run}.log")
            for run in range(runs)
        ]
        team = [context.Process(target=_member, args=(plan, barrier, told)) for _ in range(WORKERS)]
        for member in team:
            member.start()
        for member in team:
            member.join()
        said = []
        while not told.empty():
            said.append(told.get())
        crashes = sum(error is not None for *_, error in said) + WORKERS * runs - len(said)
        for bench, run, _, log in plan:
            begun = [began_s for of, began_s, _ in said if of == run]
            spreads.append(1000 * (max(begun) - min(begun)) if begun else float("nan"))
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            networks = [network for *_, network in lines]
            duplicates += len(networks) - len(set(networks))
            together.append(_until(bench, lines))
    return {
        "workers_slowdown": round(_over(statistics.median, together, alone, benches), 3),
        "workers_slowdown_of_means": round(_over(statistics.fmean, together, alone, benches), 3),
        "duplicates": duplicates,
        "crashes": crashes,
        "errors": sorted({error for *_, error in said if error}),
        "start_spread_ms": {"median": round(statistics.median(spreads), 1), "max": round(max(spreads), 1)},
        "evaluations": {"alone": alone, "together": together},
    }


def simulated_slowdown(benches: Sequence[Bench], *, seeds: int) -> float:
    """Evaluations until the target with 8 workers over those with one, means over benches and seeds.

    The workers are simulated around our sampler (evaluations take 0.8 to 1.2 of the same time, suggestions none), so
    that enough searches can be run to tell the ratio from luck.
    """
    counts: dict[int, list[int]] = {1: [], WORKERS: []}
    for bench in benches:
        candidates = candidates_of(bench.space, bench.latency, (bench.budget_ms,))
        for workers, seed in itertools.product(counts, range(seeds)):
            sampler = BudgetSampler(bench.space, bench.latency, (bench.budget_ms,), seed=seed, candidates=candidates)
            counts[workers].append(_simulated(bench, sampler, workers, random.Random(seed)))
    return statistics.fmean(counts[WORKERS]) / statistics.fmean(counts[1])


def _simulated(bench: Bench, sampler: BudgetSampler, workers: int, rng: random.Random) -> int:
    study = optuna.create_study(direction="maximize", sampler=sampler)
    options = {name: CategoricalDistribution(values) for name, values in decisions(bench.space).items()}
    now = 0.0
    running: list[tuple[float, optuna.Trial]] = []
    for count in range(1, bench.trials + 1):
        while len(running) < workers:
            running.append((now + rng.uniform(0.8, 1.2), study.ask(dict(options))))
        now, trial = min(running, key=lambda item: item[0])
        running.remove((now, trial))
        accuracy = bench.accuracy(record(bench.space, replay(trial.params))[0])
        study.tell(trial, accuracy)
        if accuracy >= bench.target:
            return count
    return bench.trials


def _alone(bench: Bench, run: int) -> int | None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        _search(bench, _Logged(bench, log, slow=False), run, None)
        return _until(bench, [json.loads(line) for line in log.read_text().splitlines()])


def _until(bench: Bench, lines: Sequence[Sequence[Any]]) -> int | None:
    """Evaluations finished when the target was met; None when it was not."""
    ordered = sorted(lines, key=lambda line: line[1])
    return next((i for i, line in enumerate(ordered, 1) if line[2] >= bench.target), None)


def _over(
    middle: Callable[[Sequence[int]], float],
    together: Sequence[int | None],
    alone: Sequence[int | None],
    benches: Sequence[Bench],
) -> float:
    """Ratio of middles, a vain run counted as all its trials."""
    most = benches[0].trials
    many, one = ([most if count is None else count for count in counts] for counts in (together, alone))
    return middle(many) / middle(one)


def _search(bench: Bench, evaluate: _Logged, run: int, storage: str | None) -> None:
    search(
        bench.space,
        evaluate,
        bench.latency,
        budget_ms=bench.budget_ms,
        trials=bench.trials,
        seed=run,
        storage=storage,
    )


def _member(plan: Sequence[tuple[Bench, int, str, Path]], barrier: Any, told: Any) -> None:
    """One of the processes that begin together, on a storage that is not there yet."""
    for bench, run, storage, log in plan:
        barrier.wait(600)
        time.sleep(2 * TICK_S - time.time() % TICK_S)  # all wake at the same moment
        began_s, error = time.time(), None
        try:
            _search(bench, _Logged(bench, log, slow=True), run, storage)
        except Exception as caught:  # noqa: BLE001  counted and shown
            error = f"{type(caught).__name__}: {caught}"
        told.put((run, began_s, error))


def journals(folder: Path, _run: int) -> str:
    """A journal file in a folder that is not there yet."""
    return str(folder / "study.journal")


@contextlib.contextmanager
def postgresql() -> Iterator[Callable[[Path, int], str]]:
    """A private PostgreSQL server; yields what makes an empty database for every run."""
    if not POSTGRESQL:
        raise SystemExit("no PostgreSQL here; apt-get install -y postgresql")
    folder = Path(tempfile.mkdtemp(prefix="underbudget-pg-", dir="/tmp"))  # another user must reach it
    as_owner = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if as_owner:
        shutil.chown(folder, "postgres")

    def do(program: str, *arguments: str) -> None:
        command = [*as_owner, str(POSTGRESQL[-1] / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)  # noqa: S603  our own command

    port = str(random.SystemRandom().randrange(20000, 60000))
    do("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "postgres")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    do("pg_ctl", "-D", str(folder / "data"), "-o", options, "-l", str(folder / "log"), "-w", "start")

    def database(_folder: Path, run: int) -> str:
        do("createdb", "-h", str(folder), "-p", port, "-U", "postgres", f"run{run}")
        return f"postgresql://postgres@127.0.0.1:{port}/run{run}"

    try:
        yield database
    finally:
        do("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(folder)


def ask_tell_cpu_ms(trials: int = 1000, *, storage: Path | None = None) -> float:
    """CPU milliseconds that the study adds to one evaluation at that many trials, in a 20-block MobileNetV3 space.

    Asking a random sampler, building and pricing the network, its claim and its result in the default storage; the
    mean of the last tenth.
    """
    marks: list[float] = []

    def evaluate(_arch: object) -> float:
        marks.append(time.process_time())
        return random.random()

    with tempfile.TemporaryDirectory() as folder:
        search(
            twenty_blocks(),
            evaluate,
            lambda _arch: 1.0,
            budget_ms=1.1,
            trials=trials,
            seed=0,
            sampler="random",
            storage=storage or Path(folder) / "study.journal",
        )
    last = marks[-max(2, trials // 10) :]
    return 1000 * (last[-1] - last[0]) / (len(last) - 1)


def twenty_blocks() -> MobileNetV3Space:
    """A MobileNetV3 space of five stages of up to four blocks."""
    stages = tuple(
        StageSpace(widths=(w - 8, w), depths=(2, 3, 4), stride=s)
        for w, s in ((24, 2), (40, 2), (80, 2), (112, 1), (160, 2))
    )
    return MobileNetV3Space(
        name="twenty_blocks",
        image_channels=3,
        classes=1000,
        sizes_px=(192, 224),
        stem_widths=(16,),
        stem_stride=2,
        stages=stages,
        kernels=(3, 5, 7),
        expansions=(3, 4, 6),
        se=(False, True),
        acts=("relu", "hswish"),
        head_expansions=(6,),
        feature_widths=(1280,),
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--postgresql", action="store_true")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space, accuracy, latency = macro_space(DATA)
    best = {b: max(accuracy[code] for code in accuracy if latency(space_choices(code)) <= b) for b in (4.0, 6.0, 8.0)}
    benches = [
        Bench(space=space, accuracy=accuracy.__getitem__, latency=latency, budget_ms=b, target=0.999 * best[b])
        for b in best
    ]
    print("simulated_slowdown", round(simulated_slowdown(benches, seeds=arguments.runs), 2))
    print("ask_tell_cpu_ms", round(ask_tell_cpu_ms(), 2))
    print("journal", json.dumps(workers_figures(benches, journals, runs=arguments.runs)))
    if arguments.postgresql:
        with postgresql() as database:
            print("postgresql", json.dumps(workers_figures(benches, database, runs=arguments.runs)))


def space_choices(code: Sequence[int]) -> dict[str, int]:
    """A network's choices."""
    return {f"layer{i}": option for i, option in enumerate(code)}


if __name__ == "__main__":
    main()
