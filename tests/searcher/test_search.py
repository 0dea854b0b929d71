from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from optuna.storages import InMemoryStorage

from nas import searcher
from nas.arch import digest
from nas.errors import InfeasibleError, InputError, TooManyFailuresError
from nas.searcher import SAMPLERS, trials_csv

BUDGET_MS = 0.5


def search(*args, **settings):
    return searcher.search(*args, **{"sampler": "tpe"} | settings)


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_every_sampler_evaluates_feasible_distinct_networks_only(space, latency, oracle, sampler):
    evaluate = oracle()
    result = search(space, evaluate, latency, budget_ms=BUDGET_MS, trials=24, seed=3, sampler=sampler)
    assert len(result.trials) == len(evaluate.asked) == len(set(map(digest, evaluate.asked))) == 24
    assert all(trial.latency_ms == latency(trial.arch) <= BUDGET_MS for trial in result.trials)
    assert [trial.number for trial in result.trials] == list(range(24))
    assert result.best.accuracy == max(trial.accuracy for trial in result.trials)
    assert result.best in result.pareto


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_the_same_seed_gives_the_same_trials(space, latency, oracle, sampler):
    runs = [search(space, oracle(), latency, budget_ms=BUDGET_MS, trials=20, seed=5, sampler=sampler) for _ in range(2)]
    assert runs[0] == runs[1]


def test_tpe_beats_random_search(space, latency, oracle):
    found = {
        sampler: [
            search(space, oracle(), latency, budget_ms=2.0, trials=40, seed=seed, sampler=sampler).best.accuracy
            for seed in range(5)
        ]
        for sampler in ("tpe", "random")
    }
    assert sum(found["tpe"]) >= sum(found["random"])


def test_slack_admits_networks_above_the_budget(space, latency, oracle):
    result = search(space, oracle(), latency, budget_ms=BUDGET_MS, trials=20, seed=0, slack=0.2)
    assert BUDGET_MS < max(trial.latency_ms for trial in result.trials) <= 1.2 * BUDGET_MS


def test_a_space_with_fewer_networks_than_trials_ends_the_search(space, latency, oracle):
    result = search(space, oracle(), latency, budget_ms=0.06, trials=200, seed=0)
    assert 1 < len(result.trials) < 200


def test_an_infeasible_budget_is_refused_before_any_evaluation(space, latency, oracle):
    evaluate = oracle()
    with pytest.raises(InfeasibleError):
        search(space, evaluate, latency, budget_ms=1e-6, trials=5, seed=0)
    assert not evaluate.asked


@pytest.mark.parametrize(
    "bad", [ValueError("boom"), float("nan"), float("inf"), "0.9", None, True, np.bool_(1), 10**400]
)
def test_failed_evaluations_are_counted_and_the_search_goes_on(space, latency, oracle, bad):
    evaluate = oracle([0.5, bad if bad is not None else np.array([1.0, 2.0])])
    result = search(space, evaluate, latency, budget_ms=BUDGET_MS, trials=6, seed=0)
    assert (len(result.trials), result.failures, len(evaluate.asked)) == (6, 1, 7)


def test_the_last_reason_is_told_when_nothing_succeeds():
    space = searcher.ChoiceSpace("one", {"a": (1,)})
    with pytest.raises(TooManyFailuresError, match="all 1 evaluations failed, the last with ValueError: boom"):
        search(space, fails, lambda _choices: 1.0, budget_ms=2.0, trials=5, seed=0)


def fails(_choices):
    raise ValueError("boom")


def test_numbers_may_be_numpys(tmp_path):
    result = searcher.search(
        SMALL,
        quality,
        lambda choices: np.float32(TABLE(choices)),
        budgets_ms=np.array([0.5, 0.7], dtype=np.float32),
        trials=np.int64(4),
        seed=np.int64(1),
        sampler="random",
        storage=tmp_path / "journal",
    )
    assert len(result.trials) == 4
    assert searcher.AdditiveLatency({"a": {0: np.float32(0.5)}})({"a": 0}) == 0.5


@pytest.mark.parametrize("ms", ["1", None, np.array([1.0]), float("nan"), -1.0])
def test_a_latency_that_is_no_number_is_refused(ms):
    with pytest.raises(InputError, match="the latency model gives"):
        search(SMALL, quality, lambda _choices: ms, budget_ms=0.5, trials=3, seed=0)


def test_a_study_in_memory_has_one_worker():
    with pytest.raises(InputError, match="cannot be shared"):
        search(SMALL, quality, TABLE, budget_ms=0.5, trials=3, seed=0, workers=2, storage=InMemoryStorage())


@pytest.mark.parametrize("sampler", ["budget", "tpe"])
def test_a_space_of_one_decision_is_searched_to_its_end(sampler):
    for options in ((1,), (1, 2)):
        space, table = searcher.ChoiceSpace("one", {"a": options}), searcher.AdditiveLatency({"a": {1: 1.0, 2: 2.0}})
        result = searcher.search(space, sum_of, table, budget_ms=2.5, trials=9, seed=0, sampler=sampler)
        assert sorted(trial.choices["a"] for trial in result.trials) == list(options)


def sum_of(choices):
    return sum(choices.values())


def test_equal_networks_are_evaluated_once():
    space = searcher.ChoiceSpace("equal", {"a": (1, 2), "b": (1, 2)}, key=sum_of)
    result = searcher.search(space, sum_of, lambda _choices: 1.0, budget_ms=2.0, trials=9, seed=0)
    assert sorted(trial.accuracy for trial in result.trials) == [2, 3, 4]


def test_numpy_scalars_are_numbers(space, latency):
    result = search(space, lambda _arch: np.float32(0.5), latency, budget_ms=BUDGET_MS, trials=2, seed=0)
    assert result.best.accuracy == 0.5


def test_ten_failures_in_a_row_give_up(space, latency, oracle):
    evaluate = oracle([RuntimeError("no data")] * 100)
    with pytest.raises(TooManyFailuresError, match="no data"):
        search(space, evaluate, latency, budget_ms=BUDGET_MS, trials=20, seed=0)
    assert len(evaluate.asked) == 10


def test_an_interrupt_passes_through(space, latency, oracle):
    with pytest.raises(KeyboardInterrupt):
        search(space, oracle([KeyboardInterrupt()]), latency, budget_ms=BUDGET_MS, trials=5, seed=0)


@pytest.mark.parametrize(
    "change",
    [
        {"trials": 0},
        {"budget_ms": 0.0},
        {"budget_ms": float("nan")},
        {"slack": -0.1},
        {"sampler": "tpee"},
        {"trials": "5"},
        {"trials": 4.5},
        {"seed": None},
        {"workers": 0},
    ],
)
def test_settings_out_of_range_are_refused(space, latency, oracle, change):
    with pytest.raises(InputError):
        search(space, oracle(), latency, **{"budget_ms": BUDGET_MS, "trials": 5, "seed": 0} | change)


def test_progress_tells_the_best_so_far(space, latency, oracle):
    told = []
    search(space, oracle(), latency, budget_ms=BUDGET_MS, trials=3, seed=0, progress=lambda *step: told.append(step))
    assert [step[:3] for step in told] == [("search", 1, 3), ("search", 2, 3), ("search", 3, 3)]
    assert "best" in told[-1][3]


def test_the_csv_has_one_row_a_trial(space, latency, oracle):
    result = search(space, oracle(), latency, budget_ms=BUDGET_MS, trials=5, seed=0)
    rows = list(csv.DictReader(io.StringIO(trials_csv(result.trials))))
    assert [row["digest"] for row in rows] == [digest(trial.arch) for trial in result.trials]
    assert rows[0]["stem.width"] == str(result.trials[0].choices["stem.width"])


SMALL = searcher.ChoiceSpace("small", dict.fromkeys("abc", (0, 1, 2)))
TABLE = searcher.AdditiveLatency({name: {0: 0.1, 1: 0.2, 2: 0.4} for name in "abc"})


def quality(choices):
    return sum(choices.values()) / 6


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_several_budgets_share_the_evaluations(sampler):
    asked, trials = [], 5 if sampler == "gp" else 14  # Optuna's gp takes seconds where it repeats itself
    result = search(
        SMALL,
        lambda choices: asked.append(choices) or quality(choices),
        TABLE,
        budgets_ms=[0.9, 0.5, 0.7],
        trials=trials,
        seed=0,
        sampler=sampler,
    )
    assert [winner.budget_ms for winner in result.winners] == [0.5, 0.7, 0.9]
    assert len(asked) == len(result.trials) == trials
    assert all(winner.candidate.latency_ms <= winner.budget_ms for winner in result.winners)
    accuracies = [winner.candidate.accuracy for winner in result.winners]
    assert accuracies == sorted(accuracies)
    alone = result.under(0.5)
    assert alone.best == result.winners[0].candidate
    assert all(trial.latency_ms <= 0.5 for trial in alone.trials)
    with pytest.raises(InputError, match=r"no network was evaluated within budget 0\.6 ms"):
        result.under(0.6)


def test_an_infeasible_budget_is_named_and_skipped():
    told = []
    result = search(
        SMALL,
        quality,
        TABLE,
        budgets_ms=[0.2, 0.5],
        trials=3,
        seed=0,
        progress=lambda *step: told.append(step[3]),
    )
    assert result.infeasible_ms == (0.2,)
    assert [winner.budget_ms for winner in result.winners] == [0.5]
    assert told[0] == "budget 0.2 ms is skipped: the fastest network takes 0.3 ms"


@pytest.mark.parametrize(
    ("budgets", "says"),
    [
        ({}, "give either budget_ms"),
        ({"budget_ms": 1.0, "budgets_ms": [1.0]}, "give either budget_ms"),
        ({"budgets_ms": []}, "budgets_ms is empty"),
        ({"budgets_ms": [0.5, 0.5]}, "0.5 ms is given 2 times"),
        ({"budgets_ms": [0.5, -1]}, "budget -1"),
        ({"budgets_ms": [float("nan")]}, "budget nan"),
        ({"budgets_ms": ["0.5"]}, "budget '0.5'"),
        ({"budgets_ms": 0.5}, "budgets_ms=0.5: must be several"),
        ({"budget_ms": True}, "budget True"),
    ],
)
def test_bad_budgets_are_refused(budgets, says):
    with pytest.raises(InputError, match=says):
        search(SMALL, quality, TABLE, trials=3, seed=0, **budgets)


def test_known_networks_that_fit_are_evaluated_first():
    asked, known = [], [{"a": 2, "b": 2, "c": 2}, {"a": 0, "b": 1, "c": 0}, {"a": 1, "b": 0, "c": 0}]
    settings = {"budget_ms": 0.5, "trials": 4, "seed": 0, "sampler": "random", "known": known}
    search(SMALL, lambda choices: asked.append(choices) or 0.5, TABLE, **settings)
    assert asked[:2] == known[1:]
    with pytest.raises(InputError, match="a known network does not fit the space: no choice recorded for 'b'"):
        search(SMALL, quality, TABLE, **settings | {"known": [{"a": 0}]})


def test_a_space_that_is_not_ours_needs_no_package_changes():
    space = searcher.ChoiceSpace("words", {"x": ("no", "yes"), "y": (1, 2, 3)}, build=lambda c: (c["x"], c["y"]))
    table = searcher.AdditiveLatency({"y": {1: 1.0, 2: 2.0, 3: 3.0}})
    result = searcher.search(
        space, lambda built: built[1] + (built[0] == "yes"), table, budget_ms=2.5, trials=6, seed=0
    )
    assert result.best.arch == ("yes", 2)
    assert len(result.trials) == 4
    assert "words" not in trials_csv(result.trials)
