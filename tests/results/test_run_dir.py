import subprocess
import sys
import time

import pytest

from nas.errors import InputError, StorageError
from nas.progress import silent
from nas.results import RunDir, open_run
from nas.results.run_dir import SAVE_EVERY_S

CONFIGURATION = {"budget_ms": 1.0, "space": {"kernels": (3, 5)}, "seed": 0}
HOLD = """
import sys, time
from pathlib import Path
from nas.results import open_run
with open_run(Path(sys.argv[1]), "a", {"seed": 0}):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_same_configuration_opens_the_run_again(tmp_path):
    with open_run(tmp_path, "a", CONFIGURATION) as run:
        run.arch.write_text("{}")
    with open_run(tmp_path, "a", CONFIGURATION) as run:
        assert run.arch.exists()
        assert run.path == tmp_path / "a"


def test_another_configuration_is_refused_with_the_difference(tmp_path):
    with open_run(tmp_path, "a", CONFIGURATION):
        pass
    changed = {"budget_ms": 2.0, "space": {"kernels": (3, 5, 7)}, "device": "cpu"}
    with pytest.raises(InputError) as caught, open_run(tmp_path, "a", changed):
        pass
    text = str(caught.value)
    assert "budget_ms: 1.0 -> 2.0" in text
    assert "space.kernels: [3, 5] -> [3, 5, 7]" in text
    assert "device: (none) -> cpu" in text
    assert "seed: 0 -> (none)" in text
    assert "name=other" in text


def test_long_differences_are_cut(tmp_path):
    with open_run(tmp_path, "a", dict.fromkeys("abcdefg", 0)):
        pass
    with pytest.raises(InputError, match="and 3 more"), open_run(tmp_path, "a", dict.fromkeys("abcdefg", 1)):
        pass


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", ".cache"])
def test_names_that_are_not_folder_names_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="folder name"), open_run(tmp_path, name, {}):
        pass


def test_two_processes_do_not_share_a_run_and_a_killed_one_leaves_no_lock(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"process {other.pid}"), open_run(tmp_path, "a", {"seed": 0}):
            pass
        other.kill()
    with open_run(tmp_path, "a", {"seed": 0}):
        pass


def test_a_file_in_the_way_is_a_storage_error(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(StorageError, match="choose another folder"), open_run(tmp_path, "a", {}):
        pass


def test_seconds_add_up_over_resumes(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    run = RunDir(path=tmp_path)
    for spent in (3.0, 4.0):
        with run.timed("search", silent):
            now[0] += spent
    with run.timed("trim", silent):
        now[0] += 1.0
    assert run.seconds() == {"search": 7.0, "trim": 1.0}


def test_seconds_are_saved_while_the_stage_runs_and_when_it_fails(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    run, calls = RunDir(path=tmp_path), []

    def work():
        with run.timed("search", lambda *call: calls.append(call)) as progress:
            now[0] += SAVE_EVERY_S
            progress("search", 1, 2, "")
            assert run.seconds() == {"search": SAVE_EVERY_S}
            now[0] += 1.0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert run.seconds() == {"search": SAVE_EVERY_S + 1.0}
    assert calls == [("search", 1, 2, "")]


def test_every_file_has_its_own_place(tmp_path):
    run = RunDir(path=tmp_path)
    names = [name for name, value in vars(RunDir).items() if isinstance(value, property)]
    paths = [getattr(run, name) for name in names]
    assert len(set(paths)) == len(paths) >= 15
    assert all(path.parent == tmp_path for path in paths)
