"""What any sampler of the search must do: subclass `SamplerContract` and give it a `make`."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState

from nas.searcher.choice_space import network_key
from nas.space import decisions, record, replay

BUDGET_MS = 0.5


class SamplerContract:
    """Tests that every sampler with a budget passes."""

    @pytest.fixture
    def make(self):
        """(space, latency, budgets_ms, seed) -> sampler."""
        raise NotImplementedError

    @pytest.fixture
    def ask(self, space):
        distributions = {name: CategoricalDistribution(options) for name, options in decisions(space).items()}

        def ask(study, **enqueued):
            if enqueued:
                study.enqueue_trial(enqueued)
            trial = study.ask(distributions)
            arch, choices = record(space, replay(trial.params))
            return trial, arch, network_key(space, arch, choices)

        return ask

    @staticmethod
    def study(sampler, storage=None):
        return optuna.create_study(direction="maximize", sampler=sampler, storage=storage)

    def test_suggestions_keep_to_the_budget_and_are_new(self, make, ask, space, latency, oracle):
        study, keys = self.study(make(space, latency, (BUDGET_MS,), 0)), set()
        for _ in range(20):
            trial, arch, key = ask(study)
            assert latency(arch) <= BUDGET_MS
            assert key not in keys
            keys.add(key)
            study.tell(trial, oracle()(arch))

    def test_networks_being_evaluated_are_not_suggested_again(self, make, ask, space, latency, oracle):
        study = self.study(make(space, latency, (BUDGET_MS,), 0))
        for _ in range(6):
            trial, arch, _ = ask(study)
            study.tell(trial, oracle()(arch))
        running = [ask(study)[2] for _ in range(6)]
        assert len(set(running)) == 6

    def test_failed_networks_are_not_suggested_again(self, make, ask, space, latency, oracle):
        study, keys = self.study(make(space, latency, (BUDGET_MS,), 0)), []
        for i in range(12):
            trial, arch, key = ask(study)
            keys.append(key)
            if i % 2:
                study.tell(trial, state=TrialState.FAIL)
            else:
                study.tell(trial, oracle()(arch))
        assert len(set(keys)) == 12

    def test_the_same_study_and_seed_give_the_same_suggestion(self, make, ask, space, latency, oracle):
        study = self.study(make(space, latency, (BUDGET_MS,), 0))
        for _ in range(8):
            trial, arch, _ = ask(study)
            study.tell(trial, oracle()(arch))
        suggested = []
        for _ in range(2):
            copy = self.study(make(space, latency, (BUDGET_MS,), 0))
            copy.add_trials(study.trials)
            suggested.append(ask(copy)[2])
        assert suggested[0] == suggested[1]

    def test_every_budget_gets_suggestions_of_its_own(self, make, ask, space, latency, oracle):
        budgets = (0.1, 0.5, 2.0)
        study, spent = self.study(make(space, latency, budgets, 0)), {budget: [] for budget in budgets}
        for i in range(21):
            trial, arch, _ = ask(study)
            assert trial.number == i
            spent[budgets[i % 3]].append(latency(arch))
            study.tell(trial, oracle()(arch))
        assert all(max(ms) <= budget for budget, ms in spent.items())
        assert max(spent[2.0]) > 0.5

    @pytest.fixture(params=[0, 8])
    def evaluated(self, request, make, ask, space, latency, oracle):  # noqa: PLR0917  fixtures
        """A study of so many evaluations."""
        study = self.study(make(space, latency, (BUDGET_MS,), 0))
        for _ in range(request.param):
            trial, arch, _ = ask(study)
            study.tell(trial, oracle()(arch))
        return study

    def test_a_partially_enqueued_trial_keeps_its_decisions_and_the_budget(self, evaluated, ask, latency):
        for fixed in ({"stem.width": 24}, {"depth": 2, "b0.width": 16}, {"b1.kernel": 3}):
            trial, arch, _ = ask(evaluated, **fixed)
            assert {name: trial.params[name] for name in fixed} == fixed
            assert latency(arch) <= BUDGET_MS

    def test_a_wholly_enqueued_trial_passes_through(self, make, ask, space, latency):
        study = self.study(make(space, latency, (BUDGET_MS,), 0))
        chosen = {name: options[0] for name, options in decisions(space).items()}
        assert ask(study, **chosen)[0].params == chosen

    def test_values_that_are_no_numbers_do_no_harm(self, make, ask, space, latency, oracle):
        study = self.study(make(space, latency, (BUDGET_MS,), 0))
        for value in (0.5, float("-inf"), 0.5, 0.5, float("inf"), 0.5, 0.5):
            trial, arch, _ = ask(study)
            study.tell(trial, value)
            assert latency(arch) <= BUDGET_MS
