"""The searcher against random search, TPE, NSGA-II and ageing evolution on NAS-Bench-Macro, and its own speed.

    python scripts/benchmark_search.py --json FILE [--part quality noisy sweep speed workers] [--seeds 30]

Every network of the space is trained (three times), so an evaluation is a look-up. Latencies are those of a per-block
table measured on this machine first (ONNX Runtime, one thread); `--table FILE.json` takes that of an earlier result.

What is counted is distinct networks that were evaluated; repetitions, and suggestions over the budget, cost nothing.
    n50, n90          evaluations until one is within 0.1 % (points) of the best within the budget, median and 90th
                      percentile over all budgets and seeds; a search that does not get there counts as `LONGEST`
    exact_n90         the same until the very best one
    noisy_n90         the same as n90 when the search sees one training of the three and we judge by the mean of all;
    noisy_regret_pct  what is recommended after 50 of those, points below the best
    sweep_*           8 budgets in one study, 80 evaluations in all: points below the best, mean over budgets and seeds
    workers_* etc.    see benchmark_workers.py
    suggest_cpu_ms    CPU of a suggestion (median) in a 20-block MobileNetV3 space, at 100 and at 1,000 trials
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import benchmark_workers
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from search_nas_bench_macro import macro_space

from nas.arch import IMAGE, Act, Arch, Builder, op_macs, op_traffic_bytes
from nas.latency.measure import MeasurePlan, measure_space, model_of
from nas.progress import silent
from nas.searcher.budget_sampler import BudgetSampler, candidates_of
from nas.searcher.candidates import Candidates
from nas.searcher.choice_space import AdditiveLatency
from nas.searcher.feasible import feasible_set
from nas.space import Choice, Choices, Choose, decisions
from nas.target import Target
from search_spaces.mobilenet_v3 import MobileNetV3Space, StageSpace

DATA = Path(__file__).parents[2] / "shared" / "data" / "nas_bench_macro.npz"
TARGET = Target(name="intel_cpu", runtime="onnxruntime")
PLAN = MeasurePlan(networks=60, anchors=6, heldout=10, rounds=40, profile_runs=20, seconds=40)

BLOCKS = ("identity", "k3 e3", "k5 e6")
STAGES = ((2, 64), (3, 128), (3, 256))  # layers, channels
NAMES = tuple(f"s{s}.b{j}" for s, (layers, _) in enumerate(STAGES) for j in range(layers))
QUANTILES = (5, 15, 35, 60, 85)
SWEEP_QUANTILES = tuple(np.linspace(4, 90, 8).tolist())
WITHIN = 0.1  # points
LONGEST = 400  # evaluations
MOST_ASKED = 4000  # suggestions, infeasible and repeated ones included
SWEEP_TRIALS = 80
NOISY_TRIALS = 50
POPULATION, CONTEST = 20, 5  # of ageing evolution
WARM_UP, TIMED = 1, 9  # suggestions
WORKER_RUNS = 5

Evaluate = Callable[["Network"], float]
Network = tuple[str, ...]


class NasBenchMacro:
    """The space of NAS-Bench-Macro (arXiv 2103.11922): eight layers of three choices."""

    name = "nas_bench_macro"

    def build(self, choose: Choose) -> Arch:
        """Build one network."""
        net = Builder(size_px=32, image_channels=3)
        width = net.width("stem", 32)
        x = net.conv("stem", IMAGE, width, kernel=3, act=Act.RELU)
        for s, (layers, channels) in enumerate(STAGES):
            out_width = net.width(f"s{s}", channels)
            for j in range(layers):
                block = str(choose(f"s{s}.b{j}", BLOCKS))
                x = _block(net, f"s{s}.b{j}", x, width, out_width=out_width, stride=2 if j == 0 else 1, block=block)
                width = out_width
        x = net.pool("pool", net.conv("head", x, net.width("head", 1280), act=Act.RELU))
        return net.classify(x, classes=10)


def _block(net: Builder, name: str, x: str, width: str, *, out_width: str, stride: int, block: str) -> str:
    if block == "identity":
        return x if stride == 1 else net.conv(f"{name}.down", x, out_width, stride=stride)
    kernel, expansion = (3, 3) if block == "k3 e3" else (5, 6)
    mid = net.width(f"{name}.mid", expansion * net.channels(width))
    y = net.depthwise(
        f"{name}.depthwise",
        net.conv(f"{name}.expand", x, mid, act=Act.RELU),
        kernel=kernel,
        stride=stride,
        act=Act.RELU,
    )
    y = net.conv(f"{name}.project", y, out_width)
    return net.residual(f"{name}.sum", x, y) if width == out_width else y


def measured_table(seed: int) -> dict[str, Any]:
    """Milliseconds of every block at every place, and of the rest, measured in whole networks on this machine."""
    space = NasBenchMacro()
    table = measure_space(space, TARGET, PLAN, known=None, seed=seed, progress=silent)
    model = model_of(table, space)
    blocks: dict[str, dict[str, float]] = {name: {} for name in NAMES}
    for block in BLOCKS:
        shares = model.breakdown(space.build(_always(block)))
        for name in NAMES:
            blocks[name][block] = sum(share.ms for share in shares if share.layer.startswith(f"{name}."))
    rest = [share.ms for share in shares if not share.layer.startswith("s") or share.layer.startswith("stem")]
    return {"blocks": blocks, "base_ms": sum(rest), "host": table.host.slug}


def _always(block: str) -> Choose:
    return lambda _name, _options: block


class Bench:
    """NAS-Bench-Macro with a latency table.

    Attributes:
        accuracy: Network -> its three trainings, per cent.
        same: Network -> a number, equal for networks that compute the same.
    """

    def __init__(self, data: Path, table: Mapping[str, Any]) -> None:
        held = np.load(data, allow_pickle=False)
        self.networks: list[Network] = [tuple(BLOCKS[i] for i in code) for code in held["codes"].tolist()]
        self.accuracy = dict(zip(self.networks, held["acc"], strict=True))
        self.mean = {network: float(three.mean()) for network, three in self.accuracy.items()}
        self.same = dict(zip(self.networks, held["canonical"].tolist(), strict=True))
        self.latency = AdditiveLatency(table["blocks"], table["base_ms"])
        self.ms = {network: self.latency(dict(zip(NAMES, network, strict=True))) for network in self.networks}

    def budgets_ms(self, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        """Latency quantiles over all networks, ms."""
        return tuple(float(ms) for ms in np.percentile(list(self.ms.values()), quantiles))

    def best(self, budget_ms: float) -> float:
        """Best mean accuracy within a budget, per cent."""
        return max(self.mean[network] for network in self.networks if self.ms[network] <= budget_ms)

    def one_training(self, seed: int) -> Evaluate:
        """An evaluation that sees one training of each network, the same one whenever it is asked."""
        seen = np.random.default_rng(seed).integers(0, 3, len(self.networks))
        which = dict(zip(self.networks, seen.tolist(), strict=True))
        return lambda network: float(self.accuracy[network][which[network]])


def distributions() -> dict[str, BaseDistribution]:
    """The space for Optuna."""
    return {name: CategoricalDistribution(BLOCKS) for name in NAMES}


def studied(
    bench: Bench, sampler: BaseSampler, budget_ms: float, evaluate: Evaluate
) -> Iterator[tuple[Network, optuna.Study]]:
    """Evaluated networks, in order, each once; the sampler is told what is over the budget as a violated constraint."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    seen: dict[int, float] = {}
    for _ in range(MOST_ASKED):
        trial = study.ask(distributions())
        network: Network = tuple(trial.params[name] for name in NAMES)
        trial.set_constraint("latency", bench.ms[network] / budget_ms - 1)
        if bench.ms[network] > budget_ms:
            study.tell(trial, 0.0)
            continue
        new = bench.same[network] not in seen
        study.tell(trial, seen.setdefault(bench.same[network], evaluate(network) / 100))
        if new:
            yield network, study


def evolved(bench: Bench, budget_ms: float, seed: int, evaluate: Evaluate) -> Iterator[tuple[Network, None]]:
    """Ageing evolution (arXiv 1802.01548): the oldest dies, the best of a few has a child with one layer changed."""
    rng = random.Random(seed)
    feasible = [network for network in bench.networks if bench.ms[network] <= budget_ms]
    population: list[tuple[Network, float]] = []
    seen: set[int] = set()
    for _ in range(MOST_ASKED):
        if len(population) < POPULATION:
            child = rng.choice(feasible)
        else:
            parent = max(rng.sample(population, CONTEST), key=lambda member: member[1])[0]
            child = parent
            while child == parent or bench.ms[child] > budget_ms:
                place = rng.randrange(len(NAMES))
                child = (*parent[:place], rng.choice(BLOCKS), *parent[place + 1 :])
            population.pop(0)
        population.append((child, evaluate(child)))
        if bench.same[child] not in seen:
            seen.add(bench.same[child])
            yield child, None


def evaluations(
    bench: Bench, budget_ms: float, found: Iterator[tuple[Network, optuna.Study | None]]
) -> tuple[int, int, int]:
    """Evaluations until within `WITHIN` of the best, those until the best itself, and suggestions over the budget."""
    best, near, exact, study = bench.best(budget_ms), LONGEST, LONGEST, None
    for count, (network, asked) in enumerate(found, start=1):
        study = asked
        if near == LONGEST and bench.mean[network] >= best - WITHIN:
            near = count
        if bench.mean[network] >= best - 1e-9:
            exact = count
        if exact < LONGEST or count == LONGEST:
            break
    return near, exact, over_budget(bench, study, (budget_ms,)) if study else 0


def over_budget(bench: Bench, study: optuna.Study, budgets_ms: tuple[float, ...]) -> int:
    """How many of a study's suggestions do not keep to their budget."""
    return sum(
        bench.ms[tuple(trial.params[name] for name in NAMES)] > budgets_ms[trial.number % len(budgets_ms)]
        for trial in study.get_trials(deepcopy=False)
    )


class Ours:
    """Our sampler on the benchmark."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._prepared: dict[tuple[float, ...], Candidates] = {}

    def sampler(self, budgets_ms: tuple[float, ...], seed: int) -> BudgetSampler:
        """A sampler; what it needs of the space is prepared once for all seeds."""
        space = NasBenchMacro()
        if budgets_ms not in self._prepared:
            self._prepared[budgets_ms] = candidates_of(space, self.bench.latency, budgets_ms)
        return BudgetSampler(space, self.bench.latency, budgets_ms, seed=seed, candidates=self._prepared[budgets_ms])


def quality(bench: Bench, seeds: int, rivals: bool) -> dict[str, Any]:
    """Evaluations to the best, ours and the rivals'."""
    ours = Ours(bench)

    def run(name: str, budget_ms: float, seed: int) -> Iterator[tuple[Network, Any]]:
        evaluate: Evaluate = bench.mean.__getitem__
        if name == "evolution":
            return evolved(bench, budget_ms, seed, evaluate)
        if name == "ours":
            return studied(bench, ours.sampler((budget_ms,), seed), budget_ms, evaluate)
        samplers: dict[str, Callable[[], BaseSampler]] = {
            "tpe": lambda: TPESampler(seed=seed, multivariate=True),
            "nsga2": lambda: NSGAIISampler(seed=seed, population_size=20),
            "random": lambda: RandomSampler(seed=seed),
        }
        return studied(bench, samplers[name](), budget_ms, evaluate)

    budgets = bench.budgets_ms(QUANTILES)
    result: dict[str, Any] = {"budgets_ms": budgets, "searches": {}}
    for name in ("ours", "tpe", "evolution", "nsga2", "random") if rivals else ("ours",):
        counts = [[evaluations(bench, ms, run(name, ms, seed)) for seed in range(seeds)] for ms in budgets]
        result["searches"][name] = percentiles(np.array(counts))
        print(name, result["searches"][name], flush=True)
    mine = result["searches"]["ours"]
    result |= {key: mine[key] for key in ("n50", "n90", "exact_n90")}
    result["suggestions_over_budget"] = mine["over_budget"]
    if rivals:
        result["times_fewer_than_tpe"] = result["searches"]["tpe"]["n90"] / mine["n90"]
        result["times_fewer_than_evolution"] = result["searches"]["evolution"]["n90"] / mine["n90"]
    return result


def percentiles(counts: np.ndarray) -> dict[str, Any]:
    """n50, n90 and those of the exact best, over all and by budget; counts are (budgets, seeds, 3)."""
    near, exact = counts[..., 0], counts[..., 1]
    return {
        "n50": float(np.percentile(near, 50)),
        "n90": float(np.percentile(near, 90)),
        "exact_n50": float(np.percentile(exact, 50)),
        "exact_n90": float(np.percentile(exact, 90)),
        "n50_by_budget": np.percentile(near, 50, axis=1).tolist(),
        "n90_by_budget": np.percentile(near, 90, axis=1).tolist(),
        "over_budget": int(counts[..., 2].sum()),
    }


def noisy(bench: Bench, seeds: int) -> dict[str, Any]:
    """The search sees one training of the three."""
    ours, counts, regrets, recommended = Ours(bench), [], [], []
    for budget_ms in bench.budgets_ms(QUANTILES):
        best = bench.best(budget_ms)
        for seed in range(seeds):
            sampler = ours.sampler((budget_ms,), seed)
            near, stands, network_of = LONGEST, LONGEST, 0.0
            found = studied(bench, sampler, budget_ms, bench.one_training(seed))
            for count, (network, study) in enumerate(found, start=1):
                if near == LONGEST and bench.mean[network] >= best - WITHIN:
                    near = count
                trial = sampler.recommend(study, budget_ms)
                assert trial is not None
                network_of = bench.mean[tuple(trial.params[name] for name in NAMES)]
                if stands == LONGEST and network_of >= best - WITHIN:
                    stands = count
                if count == NOISY_TRIALS:
                    break
            counts.append(near)
            recommended.append(stands)
            regrets.append(best - network_of)
    return {
        "noisy_n50": float(np.percentile(counts, 50)),
        "noisy_n90": float(np.percentile(counts, 90)),
        "noisy_recommended_n50": float(np.percentile(recommended, 50)),
        "noisy_recommended_n90": float(np.percentile(recommended, 90)),
        "noisy_regret_pct": float(np.mean(regrets)),
    }


def sweep(bench: Bench, seeds: int) -> dict[str, Any]:
    """Eight budgets share one study."""
    budgets, regrets = bench.budgets_ms(SWEEP_QUANTILES), []
    ours, over = Ours(bench), 0
    for seed in range(seeds):
        study = optuna.create_study(direction="maximize", sampler=ours.sampler(budgets, seed))
        seen: dict[int, Network] = {}
        while len(seen) < SWEEP_TRIALS:
            trial = study.ask(distributions())
            network: Network = tuple(trial.params[name] for name in NAMES)
            seen[bench.same[network]] = network
            study.tell(trial, bench.mean[network] / 100)
        over += over_budget(bench, study, budgets)
        for budget_ms in budgets:
            found = max((bench.mean[n] for n in seen.values() if bench.ms[n] <= budget_ms), default=0.0)
            regrets.append(bench.best(budget_ms) - found)
    return {"sweep_mean_regret_pct": float(np.mean(regrets)), "sweep_over_budget": over}


class _Share:
    def __init__(self, layer: str, ms: float) -> None:
        self.layer, self.ms = layer, ms


class ToyModel:
    """A latency model with the form of ours and no measurement: MACs and traffic at a fixed rate."""

    def __call__(self, arch: Arch) -> float:
        """Milliseconds."""
        return sum(share.ms for share in self.breakdown(arch))

    def breakdown(self, arch: Arch) -> list[_Share]:
        """Milliseconds of each layer."""
        ops = zip(arch.layers, arch.ops(), strict=True)
        return [_Share(layer.name, op_macs(op) / 2e7 + op_traffic_bytes(op) / 4e7) for layer, op in ops]


def twenty_blocks() -> MobileNetV3Space:
    """A MobileNetV3 space of up to 20 blocks."""
    stages = ((24, 2), (40, 2), (80, 2), (112, 1), (160, 2))
    return MobileNetV3Space(
        name="twenty_blocks",
        image_channels=3,
        classes=1000,
        sizes_px=(224,),
        stem_widths=(16,),
        stem_stride=2,
        stages=tuple(StageSpace(widths=(width,), depths=(2, 3, 4), stride=stride) for width, stride in stages),
        kernels=(3, 5, 7),
        expansions=(3.0, 4.0, 6.0),
        se=(False, True),
        acts=("relu", "hswish"),
        head_expansions=(6.0,),
        feature_widths=(1280,),
    )


def speed() -> dict[str, Any]:
    """CPU of a suggestion."""
    space, latency = twenty_blocks(), ToyModel()
    begin = time.process_time()
    feasible = feasible_set(space, latency)
    budget_ms = (feasible.fastest().latency_ms * feasible.slowest().latency_ms) ** 0.5
    candidates = candidates_of(space, latency, (budget_ms,), feasible=feasible)
    result: dict[str, Any] = {"prepare_cpu_s": time.process_time() - begin}
    values = decisions(space)
    options: dict[str, BaseDistribution] = {name: CategoricalDistribution(of) for name, of in values.items()}
    effects = random.Random(0)
    effect = {(name, value): effects.gauss(0, 1) for name, of in values.items() for value in of}

    def accuracy(params: Choices) -> float:
        return 0.7 + 0.005 * sum(effect[item] for item in params.items())

    for trials, name in ((100, "suggest_cpu_ms"), (1000, "suggest_cpu_ms_1000")):
        sampler = BudgetSampler(space, latency, (budget_ms,), seed=0, candidates=candidates)
        study, rng = optuna.create_study(direction="maximize", sampler=sampler), random.Random(1)
        for _ in range(trials):
            choices = feasible.sample(rng, low_ms=0.85 * budget_ms, high_ms=budget_ms)
            assert choices is not None
            params = {key: choices.get(key, of[0]) for key, of in values.items()}
            study.add_trial(optuna.trial.create_trial(params=params, distributions=options, value=accuracy(choices)))
        spent_ms = []
        for _ in range(WARM_UP + TIMED):
            begin = time.process_time()
            trial = study.ask(options)
            spent_ms.append((time.process_time() - begin) * 1000)
            (code,) = candidates.codes([trial.params])
            assert code is not None
            study.tell(trial, accuracy(candidates.choices(code)))
        result[name] = statistics.median(spent_ms[WARM_UP:])
        result[f"{name}_each"] = [round(ms, 1) for ms in spent_ms]
    return result


def workers(bench: Bench, data: Path, runs: int) -> dict[str, Any]:
    """Eight workers on one study, on the default storage and, where it is installed, on PostgreSQL."""
    space, accuracy, _ = macro_space(data)
    tables: dict[str, dict[Choice, float]] = {
        f"layer{i}": dict(enumerate(bench.latency.tables[name][block] for block in BLOCKS))
        for i, name in enumerate(NAMES)
    }
    benches = [
        benchmark_workers.Bench(
            space=space,
            accuracy=accuracy.__getitem__,
            latency=AdditiveLatency(tables, bench.latency.base_ms),
            budget_ms=budget_ms,
            target=bench.best(budget_ms) - WITHIN,
        )
        for budget_ms in bench.budgets_ms(QUANTILES)
    ]
    result: dict[str, Any] = {"ask_tell_cpu_ms": benchmark_workers.ask_tell_cpu_ms()}
    result |= benchmark_workers.workers_figures(benches, benchmark_workers.journals, runs=runs)
    if benchmark_workers.POSTGRESQL:
        with benchmark_workers.postgresql() as database:
            result["postgresql"] = benchmark_workers.workers_figures(benches, database, runs=runs)
    return result


PARTS = ("quality", "noisy", "sweep", "speed", "workers")


def main() -> None:
    """Run the parts; print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--part", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--table", type=Path, help="take the latencies from this earlier result")
    parser.add_argument("--rivals", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    table = json.loads(arguments.table.read_text())["latency_table"] if arguments.table else measured_table(0)
    bench = Bench(arguments.data, table)
    result: dict[str, Any] = {"seeds": arguments.seeds, "latency_table": table}
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "speed": speed,
        "sweep": lambda: sweep(bench, arguments.seeds),
        "noisy": lambda: noisy(bench, arguments.seeds),
        "quality": lambda: quality(bench, arguments.seeds, arguments.rivals),
        "workers": lambda: workers(bench, arguments.data, WORKER_RUNS),
    }
    for name, part in parts.items():
        if name in arguments.part:
            result |= part()
            arguments.json.write_text(json.dumps(result, indent=2))
            print(json.dumps({key: value for key, value in result.items() if key != "latency_table"}), flush=True)
    print_table(result)


def print_table(result: Mapping[str, Any]) -> None:
    """One line a bar."""
    bars = {
        "n50": "<= 10",
        "n90": "<= 18",
        "exact_n90": "<= 45",
        "times_fewer_than_tpe": ">= 6",
        "times_fewer_than_evolution": ">= 9",
        "noisy_n90": "<= 25",
        "sweep_mean_regret_pct": "<= 0.015",
        "suggestions_over_budget": "= 0",
        "suggest_cpu_ms": "<= 100",
        "suggest_cpu_ms_1000": "<= 1000",
        "workers_slowdown": "<= 1.4",
        "duplicates": "= 0",
        "crashes": "= 0",
        "ask_tell_cpu_ms": "<= 15",
    }
    for name, bar in bars.items():
        if name in result:
            print(f"{name:28} {result[name]:>10.4g}  {bar}")


if __name__ == "__main__":
    main()
