import os
import signal
import subprocess
import sys
import threading

import pytest

from nas.errors import InputError, StorageError
from nas.files import exclusive, read_json, read_text, write_json, write_whole

WRITE_FOR_EVER = """
import sys
from pathlib import Path
from nas.files import write_whole
path = Path(sys.argv[1])
for i in range(10**9):
    write_whole(path, bytes([i % 251]) * 200_000)
    if i == 2:
        print("writing", flush=True)
"""


def test_round_trip_makes_the_folders(tmp_path):
    path = write_json(tmp_path / "a" / "b.json", {"ms": [0.1, 2], "name": "µ"})
    assert read_json(path) == {"ms": [0.1, 2], "name": "µ"}
    assert write_whole(path, b"bytes").read_bytes() == b"bytes"


def test_readers_never_see_a_part(tmp_path):
    path = write_whole(tmp_path / "x", b"0" * 100_000)
    done = threading.Event()

    def write():
        for i in range(30):
            write_whole(path, bytes([48 + i % 10]) * 100_000)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    contents = []
    while not done.is_set():
        contents.append(path.read_bytes())
    writer.join()
    assert all(len(content) == 100_000 and len(set(content)) == 1 for content in contents)


def test_a_killed_writer_leaves_a_whole_file(tmp_path):
    path = tmp_path / "x"
    command = [sys.executable, "-c", WRITE_FOR_EVER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    content = path.read_bytes()
    assert len(content) == 200_000
    assert len(set(content)) == 1


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing_behind(tmp_path, monkeypatch):
    path = write_whole(tmp_path / "x", "old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device; free space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_whole(tmp_path / "file" / "x", "content")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        write_whole(tmp_path / "folder", "content")


@pytest.mark.parametrize("text", ["", "{", '{"a": ', "[1, 2", "nul", "[" * 100_000, "9" * 5000])
def test_broken_json_is_an_input_error(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"x\.json: not valid JSON"):
        read_json(path)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"ms": -Infinity}'])
def test_json_holds_numbers_only(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not a number"):
        read_json(path)


def test_a_key_given_twice_is_refused(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"rows": {"a": 1, "b": 2, "a": 3}}')
    with pytest.raises(InputError, match=r"x\.json: holds the key 'a' twice"):
        read_json(path)


def test_nan_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x", {"ms": float("nan")})
    assert not (tmp_path / "x").exists()


def test_unreadable_files_are_input_errors(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_text(tmp_path / "none")
    with pytest.raises(InputError, match="Is a directory"):
        read_text(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        read_text(tmp_path / "binary")


def test_exclusive_blocks_do_not_overlap(tmp_path):
    path, trace = tmp_path / "folder" / ".lock", []

    def work(name):
        with exclusive(path):
            trace.append(f"{name} in")
            trace.append(f"{name} out")

    with exclusive(path):
        workers = [threading.Thread(target=work, args=(name,)) for name in "ab"]
        for worker in workers:
            worker.start()
        assert trace == []
    for worker in workers:
        worker.join()
    assert trace in (["a in", "a out", "b in", "b out"], ["b in", "b out", "a in", "a out"])


def test_a_lock_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"), exclusive(tmp_path / "file" / ".lock"):
        pass
