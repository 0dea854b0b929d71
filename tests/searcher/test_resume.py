from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nas.arch import digest
from nas.errors import InputError, StorageError
from nas.searcher import search
from tests.searcher.conftest import ToySpace, toy_latency

BUDGET_MS = 0.5


@pytest.fixture
def run(space, latency, tmp_path):
    def call(evaluate, *, space=space, latency=latency, **changes):
        journal = tmp_path / "study.journal"
        settings = {"budget_ms": BUDGET_MS, "trials": 12, "seed": 1, "sampler": "tpe", "storage": journal}
        return search(space, evaluate, latency, **settings | changes)

    return call


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_the_same_call_goes_on_and_repeats_nothing(run, oracle, sampler):
    first, second, third = oracle([None] * 7 + [KeyboardInterrupt()]), oracle(), oracle()
    with pytest.raises(KeyboardInterrupt):
        run(first, sampler=sampler)
    result = run(second, sampler=sampler)
    assert run(third, sampler=sampler) == result
    finished = [digest(arch) for arch in (*first.asked[:7], *second.asked)]
    assert finished == [digest(trial.arch) for trial in result.trials]
    assert len(set(finished)) == 12
    assert not third.asked


def test_more_trials_continue_a_finished_search(run, oracle):
    few = run(oracle())
    many = run(oracle(), trials=20)
    assert many.trials[:12] == few.trials
    assert len(many.trials) == 20


def test_a_network_that_is_interrupted_often_is_not_given_up(run, oracle):
    interrupted = [oracle([KeyboardInterrupt()]) for _ in range(4)]
    for evaluate in interrupted:
        with pytest.raises(KeyboardInterrupt):
            run(evaluate)
    last = oracle()
    run(last, trials=1)
    assert len({digest(arch) for evaluate in (*interrupted, last) for arch in evaluate.asked}) == 1


def test_fewer_trials_than_there_are_ask_for_nothing(run, oracle):
    whole, none = run(oracle()), oracle()
    assert run(none, trials=3) == whole
    assert not none.asked


def test_failures_are_kept_with_their_reason_and_may_be_tried_again(run, oracle, tmp_path):
    run(oracle([RuntimeError("flaky" + 10000 * "!")]))
    assert "RuntimeError: flaky!!!" in (tmp_path / "study.journal").read_text()
    assert 1000 * "!" not in (tmp_path / "study.journal").read_text()
    assert run(oracle(), trials=13).failures == 1


class OtherSpace(ToySpace):
    def build(self, choose):
        return super().build(lambda name, options: choose(name, options[1:] if name == "depth" else options))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"fingerprint": "data b"}, "fingerprint: data a -> data b"),
        ({"fingerprint": {"data": "b"}}, r"fingerprint: data a -> \(none\); data: \(none\) -> b"),
        ({"space": OtherSpace()}, r"decision depth: 1, 2, 3, 4 -> 2, 3, 4; fastest"),
        ({"latency": lambda arch: 1.1 * toy_latency(arch)}, r"fastest network, ms: 0\.\d+ -> 0\.\d+; slowest"),
    ],
)
def test_another_search_in_the_same_place_is_refused_with_a_diff(run, oracle, change, says):
    run(oracle(), fingerprint="data a")
    with pytest.raises(InputError, match=says):
        run(oracle(), **{"fingerprint": "data a"} | change)


def test_another_budget_shares_the_evaluations(run, oracle):
    first, second = run(oracle()), oracle()
    result = run(second, budget_ms=2 * BUDGET_MS, trials=20)
    assert result.trials[:12] == first.trials
    assert len(second.asked) == 8
    tight = run(oracle(), budget_ms=0.8 * BUDGET_MS, trials=3)
    assert all(trial.latency_ms <= 0.8 * BUDGET_MS for trial in tight.trials)


def test_every_cut_of_the_last_line_is_repaired(run, oracle, tmp_path):
    run(oracle(), trials=3)
    journal = tmp_path / "study.journal"
    whole = journal.read_bytes()
    last = whole.rfind(b"\n", 0, -1) + 1
    for cut in (*range(last, len(whole), 97), len(whole) - 1):
        journal.write_bytes(whole[:cut])
        assert len(run(oracle(), trials=4).trials) == 4


def test_a_journal_cut_anywhere_is_usable(run, oracle, tmp_path):
    run(oracle(), trials=3)
    journal = tmp_path / "study.journal"
    whole = journal.read_bytes()
    for cut in range(0, len(whole), len(whole) // 17):
        journal.write_bytes(whole[:cut])
        assert len(run(oracle(), trials=3).trials) == 3


def test_a_file_that_is_no_journal_is_left_alone(run, oracle, tmp_path):
    (tmp_path / "study.journal").write_text("precious notes")
    with pytest.raises(StorageError, match="not a search journal"):
        run(oracle())
    assert (tmp_path / "study.journal").read_text() == "precious notes"


def test_a_corrupt_line_is_one_clear_error(run, oracle, tmp_path):
    run(oracle(), trials=3)
    journal = tmp_path / "study.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:2], b"\0\0\0\n", *lines[3:]]))
    with pytest.raises(StorageError, match="not a readable study"):
        run(oracle())


def test_a_path_that_cannot_be_written_is_one_clear_error(run, oracle, tmp_path):
    with pytest.raises(StorageError, match="cannot write"):
        run(oracle(), storage=tmp_path)


def test_a_full_disk_ends_the_search_and_the_journal_stays_usable(run, oracle, tmp_path):
    run(oracle(), trials=3)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "study.journal").stat().st_size + 700, hard))
    try:
        with pytest.raises(StorageError, match="cannot write"):
            run(oracle())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(run(oracle()).trials) == 12


KILLED = """
import sys, time
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from conftest import Oracle, ToySpace, toy_latency
from nas.searcher import search
from tests.searcher.conftest import ToySpace, toy_latency
oracle = Oracle()
def evaluate(arch):
    time.sleep(0.01)
    return oracle(arch)
search(ToySpace(), evaluate, toy_latency, budget_ms=0.5, trials=10000, seed=1, sampler="tpe", storage=Path(sys.argv[1]))
"""


def test_kill_9_leaves_a_journal_that_resumes_at_once(run, oracle, tmp_path):
    journal = tmp_path / "study.journal"
    here = Path(__file__).parent
    command = [sys.executable, "-c", KILLED, str(journal), str(here)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(here.parents[1])})
    while not journal.exists() or journal.stat().st_size < 20_000:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    result = run(oracle(), trials=10)
    asked = oracle()
    more = run(asked, trials=len(result.trials) + 3)
    assert more.trials[: len(result.trials)] == result.trials
    assert len(asked.asked) == 3
