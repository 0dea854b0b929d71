"""Latency tables against their bars: built from nothing on this machine and held against networks they have not seen.

    python scripts/benchmark_latency.py --json FILE [--part fixed widths ...] [--quick]

Parts, in the order they run (an hour in all, half of it waiting for `drift`):

    fixed         224 px, fixed widths: error, ranks, seconds to build; the same networks by the baselines
    small         28 px preset
    efficientnet  EfficientNet-style networks
    widths        random widths, multiples of 8
    keys          seconds to build for about 100, 300 and 1,000 different kernels
    speed         predictions a second on one core, and one at a time
    searches      30 small searches at random budgets
    drift         the table of `fixed`, half an hour old and brought to today's level, beside a fresh one

The networks' times are medians of interleaved runs, made until their split halves differ by no more than 1.3 % or the
limit is reached. Every predictor, the table included, gets its level from ten anchor networks in that same session;
`mape_own_level_pct` is the table as it was saved, `mape_uncalibrated_pct` the bare sums of its rows.
`--quick` shrinks everything to see that it runs; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from latency_bars import lines
from latency_baselines import block_of, layer_of, macs, regressed, summed
from latency_searches import random_budgets, run_searches
from latency_spaces import EfficientNetSpace, RandomWidths, fixed_space, spaces_of_keys
from latency_truth import MEASURE_SEED, TARGET, Size, Truth, built, checked, compared, measured, unseen

from nas._config.compose import compose
from nas.config import load
from nas.errors import NasError
from nas.latency.compiled import compile_model
from nas.latency.drift import re_anchor
from nas.latency.measure import MeasurePlan, model_of
from nas.latency.runtimes import make_runtime
from nas.latency.session import measure_networks
from nas.latency.table import LatencyTable, load_table, save_table
from nas.progress import silent
from nas.space import SearchSpace, record, uniform

TRAINED_SEED = 2
BATCH = 100_000  # networks priced at once
REPEATS = 5
COUNTED = 1500  # random networks whose kernels are counted
SMALL_PLAN = MeasurePlan(networks=24, anchors=4, heldout=4, rounds=8, profile_runs=4, seconds=5)
QUICK = Size(networks=8, rounds=8, most_rounds=8, alone_rounds=4, plan=SMALL_PLAN, priced=20, searches=2, age_s=0)


def baselines(space: SearchSpace, truth: Truth, size: Size) -> dict[str, dict[str, float | None]]:
    """The same networks by other predictors."""
    every = [*truth.archs, *truth.anchors]
    trained = unseen(space, size.networks, TRAINED_SEED)
    runs = measure_networks(TARGET, trained, rounds=size.alone_rounds, seed=TRAINED_SEED, progress=silent)
    raw = {
        "flops": macs(every),
        "flops_and_memory": regressed(every, trained, np.median(runs.samples_us, axis=1) / 1000),
        "one_op_sessions": summed(TARGET, every, layer_of, rounds=size.alone_rounds, seed=0),
        "block_table": summed(TARGET, every, block_of, rounds=size.alone_rounds, seed=0),
    }
    count = len(truth.archs)
    return {name: truth.figures(truth.levelled(all_[:count], all_[count:])) for name, all_ in raw.items()}


def fixed(size: Size, table_file: Path) -> dict[str, Any]:
    """The 224 px space of fixed widths; the table is kept for `drift`."""
    space = fixed_space()
    table, seconds = built(space, size.plan)
    save_table(table_file, table)
    truth = measured(space, size)
    figures = compared(table, space, truth)
    return {
        **figures,
        "build_seconds": seconds,
        "keys": len(table.rows),
        "baselines": baselines(space, truth, size),
    }


def small_space() -> SearchSpace:
    """The 28 px preset."""
    (settings,) = load(compose([f"+target={TARGET.name}", "space=mobilenet_v3_28px"]))
    return settings.make_space(image_channels=1, classes=10)


def prefixed(prefix: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures under names of their own."""
    return {f"{prefix}_{name}": value for name, value in figures.items()}


def widths(size: Size) -> dict[str, Any]:
    """Random widths in whole grains."""
    figures = checked(RandomWidths(inner=fixed_space()), size)
    return {"build_widths_seconds": figures.pop("build_seconds"), **prefixed("widths", figures)}


def keys(size: Size) -> dict[str, Any]:
    """Seconds to build by the number of kernels, everything seen once and hardly anything else measured."""
    plan = replace(size.plan, networks=0, anchors=2, heldout=2)
    found: list[dict[str, float]] = []
    for space in spaces_of_keys():
        table, seconds = built(space, plan)
        found.append({"keys": kernels_of(space, table), "rows": len(table.rows), "seconds": seconds})
    logs = np.log([(row["keys"], row["seconds"]) for row in found])
    return {"cost": found, "cost_exponent": float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])}


def kernels_of(space: SearchSpace, table: LatencyTable) -> int:
    """Different kernels in many random networks of a space."""
    kernels, rng = make_runtime(table.target).kernels, random.Random(0)
    return len({kernel.key for _ in range(COUNTED) for kernel in kernels(space.build(uniform(rng)))})


def speed(size: Size, table_file: Path) -> dict[str, Any]:
    """Predictions of the compiled model, which must be those of the rows."""
    space, rng = fixed_space(), random.Random(0)
    model = model_of(_table(table_file) if table_file.exists() else built(space, size.plan)[0], space)
    compiled = compile_model(model, space)
    assert compiled is not None, "the space is tabulated"
    members = [record(space, uniform(rng)) for _ in range(size.priced)]
    choices = [chosen for _, chosen in members]
    codes = np.tile(compiled.codes(choices), (-(-BATCH // len(choices)), 1))
    many_s = min(_seconds(lambda: compiled.ms(codes)) for _ in range(REPEATS))
    coded_s = min(_seconds(lambda: compiled.ms(compiled.codes(choices))) for _ in range(REPEATS))
    one_s = min(_seconds(lambda: [compiled.one_ms(chosen) for chosen in choices]) for _ in range(REPEATS))
    rows_ms = np.array([model.arch_ms(arch) for arch, _ in members])
    return {
        "archs_per_second": len(codes) / many_s,
        "archs_per_second_from_choices": len(choices) / coded_s,
        "arch_us": one_s / len(choices) * 1e6,
        "prices_that_differ": int((compiled.ms(codes[: len(choices)]) != rows_ms).sum()),
        "one_prices_that_differ": int(sum(compiled.one_ms(c) != ms for c, ms in zip(choices, rows_ms, strict=True))),
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def searches(size: Size) -> dict[str, Any]:
    """Budgets that hold."""
    space = small_space()
    table, _ = built(space, size.plan)
    return run_searches(space, table, random_budgets(space, model_of(table, space), size.searches))


def drift(size: Size, table_file: Path) -> dict[str, Any]:
    """An old table at today's level beside a fresh one, both as a search would use them."""
    space = fixed_space()
    if not table_file.exists():
        save_table(table_file, built(space, size.plan)[0])
    time.sleep(max(0.0, table_file.stat().st_mtime + size.age_s - time.time()))
    age_s = time.time() - table_file.stat().st_mtime
    anchored = re_anchor(_table(table_file), space, rounds=size.plan.rounds, seed=MEASURE_SEED, progress=silent)
    fresh, _ = built(space, size.plan)
    truth = measured(space, size)
    tables = {"drift_old": anchored.table, "drift_fresh": fresh}
    mape_pct = {name: compared(table, space, truth)["mape_own_level_pct"] for name, table in tables.items()}
    return {
        "drift_points": mape_pct["drift_old"] - mape_pct["drift_fresh"],
        "drift_age_s": age_s,
        "drift_pct": 100 * anchored.drift,
        "drift_noise_pct": truth.noise_pct,
        **{f"{name}_mape_pct": value for name, value in mape_pct.items()},
    }


def _table(path: Path) -> LatencyTable:
    return load_table(path, target=TARGET, host=make_runtime(TARGET).host(TARGET))


PARTS: Mapping[str, Callable[[Size, Path], dict[str, Any]]] = {
    "fixed": fixed,
    "small": lambda size, _: prefixed("small", checked(small_space(), size)),
    "efficientnet": lambda size, _: prefixed("efficientnet", checked(EfficientNetSpace(), size)),
    "widths": lambda size, _: widths(size),
    "keys": lambda size, _: keys(size),
    "speed": speed,
    "searches": lambda size, _: searches(size),
    "drift": drift,
}


def main() -> None:
    """Run the parts; print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--json", type=Path, required=True, help="its figures of other parts are kept, if of this machine"
    )
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    result: dict[str, Any] = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
    settings = {"quick": arguments.quick, "host": make_runtime(TARGET).host(TARGET).slug}
    table_file = arguments.json.with_suffix(".table.json")
    if any(result.get(name) != value for name, value in settings.items()):
        result = settings
        table_file.unlink(missing_ok=True)
    errors = result.setdefault("errors", {})
    for name in (part for part in PARTS if part in arguments.part):
        start = time.monotonic()
        try:
            result |= PARTS[name](QUICK if arguments.quick else Size(), table_file)
            errors.pop(name, None)
        except NasError as error:  # a machine too noisy for one part says nothing of the others
            errors[name] = str(error)
        result.setdefault("seconds", {})[name] = round(time.monotonic() - start, 1)
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
        print(name, f"{result['seconds'][name]:.0f} s", errors.get(name, ""), flush=True)
    print("\n".join(lines(result)))


if __name__ == "__main__":
    main()
