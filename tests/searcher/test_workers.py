"""Several workers on one study: no network twice, the dead are replaced, and nobody waits for them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from nas.errors import InputError, TooManyFailuresError
from nas.searcher import AdditiveLatency, ChoiceSpace, budget_sampler, extremes, search
from nas.searcher.claims import LEASE_S, Watch, leased
from nas.searcher.job import Job
from nas.searcher.journal import LockedJournal
from nas.searcher.ledger import OWNER
from nas.searcher.workers import THREADS, _Child, _look_after

OPTIONS = (0, 1, 2, 3)
SPACE = ChoiceSpace("four", dict.fromkeys("abcd", OPTIONS))
LATENCY = AdditiveLatency({name: {o: 0.1 + 0.1 * o for o in OPTIONS} for name in "abcd"})
SETTINGS = {"budget_ms": 1.2, "trials": 24, "seed": 0, "sampler": "random"}


@dataclass(frozen=True)
class Evaluate:
    """Writes down what it is asked; a network with a = `deadly` kills the worker, `failing` ones raise."""

    log: Path
    seconds: float = 0.0
    deadly: int | None = None
    failing: bool = False

    def __call__(self, choices: dict[str, int]) -> float:
        with self.log.open("a") as file:
            file.write(f"{choices}\n")
        time.sleep(self.seconds)
        if self.failing:
            raise RuntimeError("no data")
        if choices["a"] == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return sum(choices.values()) / 12

    @property
    def asked(self) -> Counter[str]:
        return Counter(self.log.read_text().splitlines())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "asked").touch()
    return tmp_path / "asked"


@pytest.mark.parametrize("sampler", ["budget", RandomSampler(seed=0)])
def test_workers_share_one_study_and_repeat_nothing(log, tmp_path, sampler) -> None:
    evaluate, told = Evaluate(log, seconds=0.02), []
    journal = tmp_path / "new" / "study.journal"
    result = search(
        SPACE,
        evaluate,
        LATENCY,
        storage=journal,
        workers=3,
        progress=lambda *step: told.append(step[1:3]),
        **SETTINGS | {"sampler": sampler},
    )
    assert len(result.trials) == len(evaluate.asked) == evaluate.asked.total() == 24
    assert all(trial.latency_ms <= 1.2 for trial in result.trials)
    assert told[-1] == (24, 24)
    assert search(SPACE, evaluate, LATENCY, storage=journal, **SETTINGS | {"sampler": sampler}) == result
    assert evaluate.asked.total() == 24


def test_workers_need_no_storage_of_the_users(log) -> None:
    assert len(search(SPACE, Evaluate(log), LATENCY, workers=2, **SETTINGS | {"trials": 6}).trials) == 6


def test_a_worker_that_dies_is_replaced_and_its_network_given_up_after_three_times(log) -> None:
    known = [{"a": 3, "b": 0, "c": 0, "d": 0}]
    evaluate = Evaluate(log, deadly=3)
    result = search(SPACE, evaluate, LATENCY, workers=2, known=known, **SETTINGS | {"trials": 8, "budget_ms": 0.75})
    assert len(result.trials) == 8
    assert evaluate.asked[str(known[0])] == 3
    assert max(evaluate.asked.values()) == 3


def test_workers_give_up_after_ten_failures_in_a_row(log) -> None:
    evaluate = Evaluate(log, failing=True)
    with pytest.raises(TooManyFailuresError, match="no data"):
        search(SPACE, evaluate, LATENCY, workers=2, **SETTINGS)
    assert 10 <= evaluate.asked.total() <= 12


def test_what_cannot_be_sent_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="at the top of a module"):
        search(SPACE, lambda _choices: 0.5, LATENCY, workers=2, **SETTINGS)


def together(storage: str, log: Path, barrier, index: int) -> None:
    barrier.wait()
    search(SPACE, Evaluate(log, seconds=0.01), LATENCY, storage=storage, **SETTINGS | {"seed": index % 2})


@pytest.mark.parametrize("url", ["{}/run/study.journal", "sqlite:///{}/study.db"])
def test_calls_that_begin_together_on_a_fresh_storage_work_together(log, tmp_path, url) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    team = [context.Process(target=together, args=(url.format(tmp_path), log, barrier, index)) for index in range(4)]
    for process in team:
        process.start()
    for process in team:
        process.join()
    assert [process.exitcode for process in team] == [0] * 4
    asked = Evaluate(log).asked
    assert len(asked) == asked.total() == 24


class Alone:
    def wait(self) -> None:
        """Nobody to wait for."""


def stuck(storage: str, log: Path) -> None:
    search(SPACE, Evaluate(log, seconds=600), LATENCY, storage=storage, **SETTINGS)


def test_the_network_of_a_killed_call_is_evaluated_first_and_at_once(log, tmp_path) -> None:
    storage = str(tmp_path / "study.journal")
    process = multiprocessing.get_context("spawn").Process(target=stuck, args=(storage, log))
    process.start()
    while not log.read_text():
        assert process.is_alive()
        time.sleep(0.01)
    process.kill()
    process.join()
    search(SPACE, Evaluate(log), LATENCY, storage=storage, **SETTINGS | {"trials": 3})
    lines = log.read_text().splitlines()
    assert lines[0] == lines[1]
    assert len(lines) == 4


def test_a_claim_of_a_live_worker_is_waited_for(log, tmp_path) -> None:
    storage = str(tmp_path / "study.journal")
    process = multiprocessing.get_context("spawn").Process(target=together, args=(storage, log, Alone(), 0))
    process.start()
    while not log.read_text():
        time.sleep(0.01)
    result = search(SPACE, Evaluate(log), LATENCY, storage=storage, **SETTINGS)
    process.join()
    assert len(result.trials) == Evaluate(log).asked.total() == 24


def test_an_owner_is_dead_when_its_lease_is_gone() -> None:
    watch = Watch()
    with leased() as lease:
        assert not watch.dead(0, lease.owner, 0)
    assert watch.dead(0, lease.owner, 0)


def test_an_owner_elsewhere_is_dead_when_its_beat_stands_still(monkeypatch) -> None:
    watch, now = Watch(), [0.0]
    monkeypatch.setattr("nas.searcher.claims.time.monotonic", lambda: now[0])
    assert not watch.dead(7, "elsewhere/worker", 1)
    now[0] = LEASE_S - 1
    assert not watch.dead(7, "elsewhere/worker", 2)
    now[0] = 2 * LEASE_S - 2
    assert not watch.dead(7, "elsewhere/worker", 2)
    now[0] = 2 * LEASE_S
    assert not watch.dead(8, "elsewhere/worker", 2)  # the next of many short evaluations
    assert watch.dead(7, "elsewhere/worker", 2)


def test_a_network_enqueued_in_the_shared_study_is_evaluated(log, tmp_path) -> None:
    storage = tmp_path / "study.journal"
    search(SPACE, Evaluate(log), LATENCY, storage=storage, **SETTINGS | {"trials": 2})
    study = optuna.load_study(study_name="search", storage=JournalStorage(LockedJournal(storage)))
    wanted = {"a": 0, "b": 3, "c": 0, "d": 2}
    study.enqueue_trial(wanted)
    search(SPACE, Evaluate(log), LATENCY, storage=storage, **SETTINGS | {"trials": 3})
    assert log.read_text().splitlines()[-1] == str(wanted)
    assert not study.get_trials(states=(TrialState.WAITING,))


def test_what_a_user_enqueues_wrongly_is_refused_alone(log, tmp_path) -> None:
    storage = tmp_path / "study.journal"
    search(SPACE, Evaluate(log), LATENCY, storage=storage, **SETTINGS | {"trials": 2})
    study = optuna.load_study(study_name="search", storage=JournalStorage(LockedJournal(storage)))
    study.enqueue_trial({"a": 99})
    result = search(SPACE, Evaluate(log), LATENCY, storage=storage, **SETTINGS | {"trials": 3})
    assert (len(result.trials), result.failures) == (3, 0)


def leave(_choices: dict[str, int]) -> float:
    raise SystemExit(0)


def test_workers_that_leave_without_a_word_are_missed() -> None:
    with pytest.raises(TooManyFailuresError, match="workers died in a row"):
        search(SPACE, leave, LATENCY, workers=2, **SETTINGS)


@pytest.mark.parametrize("killed", [True, False])
def test_a_worker_killed_while_it_starts_is_started_again(killed) -> None:
    context = multiprocessing.get_context("spawn")
    process, (pipe, theirs) = context.Process(target=time.sleep, args=(60 * killed,)), context.Pipe(duplex=False)
    process.start()
    theirs.close()
    if killed:
        process.kill()
    process.join()
    team = {0: _Child(index=0, process=process, pipe=pipe)}
    if killed:
        assert _look_after(team, lambda index: ("again", index)) == 1
        assert team == {0: ("again", 0)}
    else:
        with pytest.raises(InputError, match="worker 0 did not start"):
            _look_after(team, None)


def test_no_process_is_started_when_there_is_nothing_to_do(log, tmp_path, monkeypatch) -> None:
    settings = {"storage": tmp_path / "study.journal", "workers": 2, **SETTINGS}
    result = search(SPACE, Evaluate(log), LATENCY, **settings | {"trials": 1})
    monkeypatch.setattr("nas.searcher.workers._start", lambda *_, **__: pytest.fail("a process was started"))
    assert search(SPACE, Evaluate(log), LATENCY, **settings | {"trials": 1}) == result


def test_the_space_is_listed_once_and_sent(log, monkeypatch) -> None:
    listed, candidates_of = [], budget_sampler.candidates_of
    monkeypatch.setattr(
        budget_sampler, "candidates_of", lambda *given, **more: listed.append(1) or candidates_of(*given, **more)
    )
    job = _job(Evaluate(log))
    sent = pickle.loads(pickle.dumps(job.prepared()))  # noqa: S301  our own
    assert sent.make_sampler(1).infer_relative_search_space(None, None).keys() == set("abcd")
    assert len(listed) == 1


def _job(evaluate: Evaluate) -> Job:
    return Job(
        space=SPACE,
        evaluate=evaluate,
        latency=LATENCY,
        limits_ms=(1.2,),
        trials=3,
        seed=0,
        sampler="budget",
        storage=None,
        study="search",
        settings={},
        fastest=extremes(SPACE, LATENCY).fastest,
        known=(),
    )


def test_workers_share_the_cores(monkeypatch) -> None:
    monkeypatch.delenv(THREADS, raising=False)
    monkeypatch.setattr("nas.searcher.workers.os.cpu_count", lambda: 8)
    result = search(SPACE, threads, LATENCY, workers=2, **SETTINGS | {"trials": 2})
    assert [trial.accuracy for trial in result.trials] == [4.0, 4.0]
    assert THREADS not in os.environ


def threads(_choices: dict[str, int]) -> float:
    return float(os.environ[THREADS])


def interrupt(_done: str, step: int, *_: object) -> None:
    if step:
        raise KeyboardInterrupt


def test_an_interrupt_ends_all_workers(log, tmp_path) -> None:
    storage = tmp_path / "study.journal"
    with pytest.raises(KeyboardInterrupt):
        search(SPACE, Evaluate(log), LATENCY, storage=storage, workers=2, progress=interrupt, **SETTINGS)
    assert not multiprocessing.active_children()


def crew(storage: str, log: Path) -> None:
    search(SPACE, Evaluate(log, seconds=600), LATENCY, storage=storage, workers=2, **SETTINGS)


def test_workers_end_with_a_parent_that_is_killed(log, tmp_path) -> None:
    storage = str(tmp_path / "study.journal")
    parent = multiprocessing.get_context("spawn").Process(target=crew, args=(storage, log))
    parent.start()
    while len(log.read_text().splitlines()) < 2:
        assert parent.is_alive()
        time.sleep(0.01)
    parent.kill()
    parent.join()
    study, watch = optuna.load_study(study_name="search", storage=JournalStorage(LockedJournal(Path(storage)))), Watch()
    while not all(watch.dead(trial.number, trial.user_attrs[OWNER], 0) for trial in study.get_trials()):
        time.sleep(0.01)
    result = search(SPACE, Evaluate(log), LATENCY, storage=storage, **SETTINGS | {"trials": 4})
    lines = log.read_text().splitlines()
    assert len(result.trials) == 4
    assert sorted(lines[:2]) == sorted(lines[2:4])
