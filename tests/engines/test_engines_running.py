"""Who holds a folder, and what the next one is told."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from snakemake.exceptions import LockException

from triage_workflow.engines import running
from triage_workflow.engines.running import Run


@contextmanager
def free():
    yield


@contextmanager
def taken():
    raise LockException
    yield


def announce(host: str, process: int, born: str) -> None:
    running.FOLDER.mkdir(parents=True, exist_ok=True)
    content = {"host": host, "process": process, "born": born, "since": "2026-01-31 12:00"}
    (running.FOLDER / f"{host}-{process}.json").write_text(json.dumps(content))


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def told() -> str:
    with pytest.raises(SystemExit) as end, running.held(taken):
        pass
    return str(end.value)


def test_a_run_is_known_as_long_as_it_lasts():
    with running.held(free):
        (path,) = running.FOLDER.iterdir()
        assert json.loads(path.read_text())["process"] == os.getpid()
        assert f"process {os.getpid()}, since" in told()
        with pytest.raises(SystemExit, match="another run works in this folder"):
            running.refuse_to_break()
    assert not list(running.FOLDER.iterdir())
    running.refuse_to_break()


def test_a_run_that_was_killed_is_no_run():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    born = Path(f"/proc/{process.pid}/stat").read_text().split()[21]
    announce(socket.gethostname(), process.pid, born)
    assert f"another run works in this folder: process {process.pid}" in told()
    process.kill()
    process.wait()
    assert "type `snakemake --unlock`, then start again" in told()
    # Another process with its number is another process.
    announce(socket.gethostname(), os.getpid(), "1")
    assert "locked by a run that was killed" in told()
    running.refuse_to_break()
    with running.held(free):
        assert len(list(running.FOLDER.iterdir())) == 1


def test_of_another_machine_nothing_is_known_for_certain():
    announce("elsewhere", 12, "34")
    assert "process 12 on elsewhere, since 2026-01-31 12:00" in told()
    assert "if it was killed, type `snakemake --unlock`" in told()
    running.refuse_to_break()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": 1}'])
def test_half_an_announcement_is_none(text):
    running.FOLDER.mkdir(parents=True)
    (running.FOLDER / "x-1.json").write_text(text)
    assert "locked by a run that was killed" in told()


def test_this_process_is_not_gone():
    assert not Run.this().is_gone


@pytest.mark.parametrize(("text", "stays"), [("", False), ('{"read', False), ("{}", True)])
def test_half_a_list_of_dvcs_locks_is_removed(text, stays):
    path = Path(".dvc/tmp/rwlock")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.with_suffix(".lock").touch()
    with open(path.with_suffix(".lock")) as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        running.mend_dvc()
        assert path.exists()  # somebody is writing it
    running.mend_dvc()
    assert path.exists() == stays
