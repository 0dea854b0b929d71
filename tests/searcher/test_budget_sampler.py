from __future__ import annotations

import functools
import random

import optuna
import pytest
from optuna.distributions import CategoricalDistribution

from nas.errors import InfeasibleError, InputError
from nas.searcher import budget_sampler, moves
from nas.searcher.budget_sampler import BudgetSampler, candidates_of
from nas.searcher.candidates import Listed, walk_all
from nas.searcher.choice_space import AdditiveLatency, ChoiceSpace
from nas.searcher.features import option_features
from nas.searcher.moves import Open
from nas.space import decisions, record, uniform
from tests.searcher.sampler_contract import SamplerContract

LABELS = {f"layer{i}": ("skip", "k3 e3", "k5 e3", "k5 e6") for i in range(9)}
PRICES = {"skip": 0.0, "k3 e3": 1.0, "k5 e3": 1.4, "k5 e6": 2.5}
GAINS = {"skip": 0.0, "k3 e3": 1.0, "k5 e3": 1.2, "k5 e6": 1.6}


def choices_space(layers: int) -> tuple[ChoiceSpace, AdditiveLatency]:
    names = list(LABELS)[:layers]
    return (
        ChoiceSpace("choices", {name: LABELS[name] for name in names}),
        AdditiveLatency(dict.fromkeys(names, PRICES), 1.0),
    )


def accuracy(choices) -> float:
    return 0.5 + 0.02 * sum(GAINS[option] * (1 + 0.3 * i) for i, option in enumerate(choices.values()))


def _shallow(build, choose):
    return build(lambda name, options: choose(name, options[:2] if name == "depth" else options))


class TestListed(SamplerContract):
    @pytest.fixture
    def space(self, space):
        """Two blocks at most."""
        space.build = functools.partial(_shallow, space.build)
        return space

    @pytest.fixture
    def make(self):
        def make(space, latency, budgets_ms, seed):
            sampler = BudgetSampler(space, latency, budgets_ms, seed=seed)
            assert isinstance(sampler._candidates, Listed)
            return sampler

        return make


@pytest.fixture
def open_spaces(monkeypatch):
    """No space is listed, and a suggestion is cheap."""
    monkeypatch.setattr(budget_sampler, "ENUMERATED_ARCHS", 10)
    monkeypatch.setattr(moves, "REFERENCES", 40)
    monkeypatch.setattr(moves, "PRICED_MOVES", 8)
    monkeypatch.setattr(moves, "SWAPS", 20)


@pytest.mark.usefixtures("open_spaces")
class TestOpen(SamplerContract):
    @pytest.fixture
    def make(self):
        def make(space, latency, budgets_ms, seed):
            sampler = BudgetSampler(space, latency, budgets_ms, seed=seed)
            assert isinstance(sampler._candidates, Open)
            return sampler

        return make


@pytest.mark.usefixtures("open_spaces")
class TestOpenWithoutTables(SamplerContract):
    """A latency that is no sum of tables."""

    @pytest.fixture
    def latency(self, latency):
        return lambda arch: latency(arch) * (1 + 0.1 * (len(arch.layers) * sum(arch.widths.values()) % 7) / 7)

    @pytest.fixture
    def make(self):
        return lambda space, latency, budgets_ms, seed: BudgetSampler(space, latency, budgets_ms, seed=seed)


@pytest.mark.parametrize("layers", [5, 9])
def test_it_beats_random_draws_in_listed_and_open_spaces(layers):
    space, latency = choices_space(layers)
    budget_ms = 1 + 1.1 * layers
    prepared = candidates_of(space, latency, (budget_ms,))
    assert isinstance(prepared, Listed if layers == 5 else Open)
    ours, drawn = [], []
    for seed in range(3):
        sampler = BudgetSampler(space, latency, (budget_ms,), seed=seed, candidates=prepared)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        distributions = {name: CategoricalDistribution(options) for name, options in decisions(space).items()}
        for _ in range(25):
            trial = study.ask(distributions)
            assert latency(trial.params) <= budget_ms
            study.tell(trial, accuracy(trial.params))
        ours.append(study.best_value)
        rng, fits = random.Random(seed), []
        while len(fits) < 25:
            choices = record(space, uniform(rng))[1]
            fits += [accuracy(choices)] if latency(choices) <= budget_ms else []
        drawn.append(max(fits))
    assert sum(ours) > sum(drawn)


def test_networks_with_equal_keys_are_suggested_once():
    space = ChoiceSpace(
        "sums", {f"d{i}": (0, 1, 2) for i in range(3)}, lambda c: sum(c.values()), key=lambda total: total
    )
    latency = AdditiveLatency({f"d{i}": {0: 0.0, 1: 1.0, 2: 2.0} for i in range(3)}, 1.0)
    study = optuna.create_study(direction="maximize", sampler=BudgetSampler(space, latency, (5.0,), seed=0))
    distributions = {name: CategoricalDistribution(options) for name, options in decisions(space).items()}
    totals = []
    for _ in range(5):
        trial = study.ask(distributions)
        totals.append(sum(trial.params.values()))
        study.tell(trial, 0.1 * totals[-1])
    assert sorted(totals) == [0, 1, 2, 3, 4]


def test_of_equal_networks_the_fastest_is_suggested_and_fixed_decisions_keep_the_budget():
    space = ChoiceSpace("pair", {"a": (0, 1), "b": (0, 1)}, key=lambda c: sum(c.values()))
    latency = AdditiveLatency({"a": {0: 0.0, 1: 1.0}, "b": {0: 0.0, 1: 3.0}}, 1.0)
    distributions = {name: CategoricalDistribution(options) for name, options in decisions(space).items()}

    def asked(budget_ms, **fixed):
        study = optuna.create_study(direction="maximize", sampler=BudgetSampler(space, latency, (budget_ms,), seed=0))
        study.enqueue_trial({"a": 0, "b": 0})
        study.tell(study.ask(distributions), 0.1)
        if fixed:
            study.enqueue_trial(fixed)
        return study.ask(distributions).params

    assert asked(2.5) == {"a": 1, "b": 0}
    assert asked(4.5, b=1) == {"a": 0, "b": 1}


def test_noise_is_seen_through(space, latency):
    space, latency = choices_space(5)
    sampler = BudgetSampler(space, latency, (6.5,), seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = {name: CategoricalDistribution(options) for name, options in decisions(space).items()}
    rng = random.Random(0)
    for _ in range(40):
        trial = study.ask(distributions)
        study.tell(trial, accuracy(trial.params) + rng.gauss(0, 0.02))
    recommended = sampler.recommend(study, 6.5)
    assert recommended is not None
    assert latency(recommended.params) <= 6.5
    assert accuracy(recommended.params) >= accuracy(study.best_params) - 1e-9
    assert sampler.recommend(study, 0.5) is None


def test_a_study_that_is_minimised_is_searched_the_other_way():
    space, latency = choices_space(5)
    distributions = {name: CategoricalDistribution(options) for name, options in decisions(space).items()}
    found = {}
    for direction, sign in (("maximize", 1), ("minimize", -1)):
        study = optuna.create_study(direction=direction, sampler=BudgetSampler(space, latency, (6.5,), seed=0))
        for _ in range(12):
            trial = study.ask(distributions)
            study.tell(trial, sign * 7 * accuracy(trial.params))
        found[direction] = [trial.params for trial in study.trials]
    assert found["maximize"] == found["minimize"]


@pytest.mark.parametrize("budgets_ms", [(), (0.0,), (float("nan"),), (-1.0, 2.0)])
def test_budgets_out_of_range_are_refused(space, latency, budgets_ms):
    with pytest.raises(InputError):
        BudgetSampler(space, latency, budgets_ms, seed=0)


def test_an_infeasible_budget_is_refused(space, latency):
    with pytest.raises(InfeasibleError):
        BudgetSampler(space, latency, (1e-6,), seed=0)


def test_an_exhausted_space_goes_on_within_the_budget(space, latency, oracle):
    sampler = BudgetSampler(space, latency, (0.06,), seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = {name: CategoricalDistribution(options) for name, options in decisions(space).items()}
    for _ in range(12):
        trial = study.ask(distributions)
        arch, _ = record(space, lambda name, _options, trial=trial: trial.params[name])
        assert latency(arch) <= 0.06
        study.tell(trial, oracle()(arch))


def test_walking_a_space_finds_every_network_once(space):
    space.build = functools.partial(_shallow, space.build)
    found = walk_all(space, 20_000)
    assert found is not None
    assert len({tuple(sorted(choices.items())) for choices in found}) == len(found) == sum(4 * 8**d for d in (1, 2))
    assert walk_all(space, 50) is None


def test_labels_are_read():
    assert option_features("k5 e3 se hswish").keys() == {"k", "e", "se", "hswish"}
    assert option_features("mbconv_3x3_e6")["e"] > option_features("mbconv_3x3_e3")["e"]
    assert option_features(64)[""] > option_features(32)[""]
