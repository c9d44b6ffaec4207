"""Who holds a folder, and what the next one is told."""

import errno
import fcntl
import json
import subprocess
import sys
from pathlib import Path

import pytest

from triage_workflow.engines import dvc_adapter, running

from triage.errors import UserError

MADE = ["results/a"]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def told(inputs=(), outputs=MADE) -> str:
    with pytest.raises(UserError) as error, running.held(inputs, outputs):
        pass
    return str(error.value)


@pytest.fixture
def other():
    """Another process, with the lock of its run."""
    program = """from triage_workflow.engines import running
with running.held(["data/b"], ["results/a"]):
    input()"""
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path = {sys.path}\n{program}"],
        stdin=subprocess.PIPE,
    )
    while not list(running.FOLDER.glob("*.json")) and process.poll() is None:
        pass
    yield process
    process.kill()
    process.wait()


def test_a_run_is_known_as_long_as_it_lasts(other):
    assert f"another run works in this folder: process {other.pid} on" in told()
    with pytest.raises(UserError, match=f"another run works in this folder: process {other.pid}"):
        running.forget_ended()
    other.kill()
    other.wait()
    with running.held([], MADE) as stream:
        assert list(running.FOLDER.iterdir()) == [Path(stream.name)]  # what it left is gone
    assert not list(running.FOLDER.iterdir())


@pytest.mark.parametrize(
    ("inputs", "outputs", "meets"),
    [
        ([], ["results/c"], False),
        (["data/b"], ["results/c"], False),
        (["results/a"], ["results/c"], True),
        ([], ["data/b"], True),
    ],
)
def test_runs_of_other_files_go_on_side_by_side(other, inputs, outputs, meets):
    if meets:
        assert f"process {other.pid}" in told(inputs, outputs)
    else:
        with running.held(inputs, outputs):
            assert len(list(running.FOLDER.iterdir())) == 2


def test_of_another_machine_nothing_is_known_for_certain():
    running.FOLDER.mkdir(parents=True)
    run = running.Run("elsewhere", "another boot", 12, "2026-01-31 12:00", [], MADE)
    (running.FOLDER / "x.json").write_text(json.dumps(vars(run)))
    assert "was cut off with its machine: process 12 on elsewhere, since 2026-01-31 12:00" in told()
    assert "if it is gone for certain, type `snakemake --unlock`" in told()
    running.forget_ended()
    with running.held([], MADE):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": 1}'])
def test_half_an_announcement_is_none(text):
    running.FOLDER.mkdir(parents=True)
    (running.FOLDER / "x-1.json").write_text(text)
    with running.held([], MADE):
        assert len(list(running.FOLDER.iterdir())) == 1


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(monkeypatch, number):
    def refuse(*_):
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert "the file system of this folder, " in told()
    assert " at /" in told()
    assert "mount it with locks" in told()


@pytest.mark.parametrize(("text", "stays"), [("", False), ('{"read', False), ("{}", True)])
def test_half_a_list_of_dvcs_locks_is_removed(text, stays):
    path = Path(".dvc/tmp/rwlock")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.with_suffix(".lock").touch()
    with open(path.with_suffix(".lock")) as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        dvc_adapter.repair_rwlock()
        assert path.exists()  # somebody is writing it
    dvc_adapter.repair_rwlock()
    assert path.exists() == stays
