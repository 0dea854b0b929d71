"""What a worker knows of a study that others work on too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution

from nas.searcher.claims import Lease, leased
from nas.searcher.ledger import DIGEST, LATENCY, Ledger
from nas.searcher.storages import SharedStudy, open_study

SETTINGS = {"space": "any"}


@pytest.fixture
def shared(tmp_path: Path) -> SharedStudy:
    return open_study(tmp_path / "study.journal", "search", SETTINGS)


@pytest.fixture
def lease() -> Iterator[Lease]:
    with leased() as held:
        yield held


def fail(ledger: Ledger, key: str, owner: str) -> None:
    trial = ledger.mirror.ask({"a": CategoricalDistribution([0, 1])})
    trial.set_user_attr(DIGEST, key)
    trial.set_user_attr(LATENCY, 1.0)
    trial_id = ledger.claim(trial.number, key, owner)
    assert trial_id is not None
    ledger.fail(trial_id, f"{key} has no data")


def test_a_worker_that_starts_late_counts_the_failures_of_its_run(shared, lease) -> None:
    first = Ledger(shared=shared)
    for key in "xyz":
        fail(first, key, lease.owner)
    late, next_run = Ledger(shared=shared, since=0), Ledger(shared=shared)
    assert (late.failures_in_a_row, late.reason, late.failed) == (3, "z has no data", {"x", "y", "z"})
    assert (next_run.failures_in_a_row, next_run.failures, next_run.failed) == (0, 3, set())


def test_one_of_two_claims_of_a_network_holds(shared, lease) -> None:
    ledgers = [Ledger(shared=shared), Ledger(shared=shared)]
    trials = [ledger.mirror.ask({"a": CategoricalDistribution([0, 1])}) for ledger in ledgers]
    for trial in trials:
        trial.set_user_attr(DIGEST, "x")
        trial.set_user_attr(LATENCY, 1.0)
    claims = [ledger.claim(trial.number, "x", lease.owner) for ledger, trial in zip(ledgers, trials, strict=True)]
    assert [claim is not None for claim in claims] == [True, False]
    assert [trial.state for trial in shared.trials()] == [optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.FAIL]
