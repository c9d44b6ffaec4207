"""Steps that start warm do what they do when started alone, and nothing outlives its owner."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from triage_workflow import forkserver
from triage_workflow.engines import preload

ROOT = Path(__file__).parents[2]
OWNER = """
import os, sys, time
from pathlib import Path
from triage_workflow import forkserver
files = [Path(name) for name in sys.argv[2:]]
forkserver.start(Path(sys.argv[1]), ["wave", "numpy", "no.such.module"], files)
folder = Path(os.environ["PATH"].split(":")[0])
print(folder, flush=True)
sys.stdin.read()
"""
SAYS = """
import json, os, sys
umask = os.umask(0)
print(json.dumps([__name__, __file__, sys.argv, sys.path, os.getcwd(), umask,
                  dict(os.environ), sys.stdin.read(), sys.executable]))
print("to standard error", file=sys.stderr)
"""
ENDS = {
    "well": ("pass", 0),
    "status": ("import sys; sys.exit(3)", 3),
    "words": ("import sys; sys.exit('sorry')", 1),
    "error": ("1 / 0", 1),
    "signal": ("import os; os.kill(os.getpid(), 9)", -9),
    "at exit": ("import atexit, os; atexit.register(os._exit, 5)", 5),
}
SLEEPS = """
import os, signal, sys, time
from pathlib import Path
def bye(*_):
    print("bye", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, bye)
try:
    Path("process").write_text(str(os.getpid()))
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(8)
"""
THREADS = """
import numpy, threadpoolctl
print({library["num_threads"] for library in threadpoolctl.threadpool_info()})
"""


@dataclass
class Warm:
    """A running owner of a server, and the folder that it puts first on the PATH of jobs."""

    owner: subprocess.Popen[str]
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        return os.environ | {"PATH": f"{self.folder}:{os.environ['PATH']}"} | more

    def server(self) -> int:
        children = Path(f"/proc/{self.owner.pid}/task/{self.owner.pid}/children")
        return int(children.read_text())


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[Callable[..., Warm]]:
    owners: list[Warm] = []

    def start(*files: Path) -> Warm:
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(tmp_path), *map(str, files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert owner.stdout
        made = Warm(owner, Path(owner.stdout.readline().strip()))
        owners.append(made)
        return made

    yield start
    for each in owners:
        each.owner.communicate()
        if each.owner.returncode == 0:
            assert not each.folder.exists()
        shutil.rmtree(each.folder, ignore_errors=True)


@pytest.fixture
def warm(owned: Callable[..., Warm]) -> Warm:
    made = owned()
    _until((made.folder / "socket").exists)
    time.sleep(0.1)  # bound, and now listening
    return made


def _until(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def _ended(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"  # gone, and only unnoticed


def _script(folder: Path, text: str) -> Path:
    path = folder / "step.py"
    path.write_text(text)
    return path


def _sleeping(warm: Warm, folder: Path) -> tuple[subprocess.Popen[str], int]:
    """The client and the process of a script that sleeps."""
    _script(folder, SLEEPS)
    client = subprocess.Popen(
        ["python", "step.py"],
        cwd=folder,
        env=warm.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    note = folder / "process"
    _until(lambda: note.exists() and note.read_text() != "")
    process = int(note.read_text())
    assert process != client.pid, "it was not started warm"
    return client, process


def test_a_script_sees_what_it_sees_when_started_alone(warm: Warm, tmp_path: Path) -> None:
    _script(tmp_path, SAYS)
    environment = warm.environment(SOME="thing", PWD=str(tmp_path))

    def run(python: str) -> tuple[int, object, str]:
        done = subprocess.run(
            [python, "step.py", "--list", "a b", "x" * 100_000],
            cwd=tmp_path,
            env=environment,
            input="from standard input",
            capture_output=True,
            text=True,
            umask=0o027,
        )
        return done.returncode, json.loads(done.stdout), done.stderr

    assert run("python") == run(sys.executable)


def test_libraries_are_there_before_the_script_asks(warm: Warm, tmp_path: Path) -> None:
    _script(tmp_path, "import sys; print('wave' in sys.modules, 'triage' in sys.modules)")
    done = subprocess.check_output(
        ["python", "step.py"], cwd=tmp_path, env=warm.environment(), text=True
    )
    assert done == "True False\n"


def test_code_that_was_edited_meanwhile_is_what_runs(warm: Warm, tmp_path: Path) -> None:
    _script(tmp_path, "import beside; print(beside.VALUE)")
    shown = []
    for value in (1, 22):
        (tmp_path / "beside.py").write_text(f"VALUE = {value}")
        shown.append(
            subprocess.check_output(["python", "step.py"], cwd=tmp_path, env=warm.environment())
        )
    assert shown == [b"1\n", b"22\n"]


@pytest.mark.parametrize("how", ENDS)
def test_a_script_ends_as_it_ends_alone(warm: Warm, tmp_path: Path, how: str) -> None:
    text, status = ENDS[how]
    _script(tmp_path, text)
    done = subprocess.run(
        ["python", "step.py"], cwd=tmp_path, env=warm.environment(), capture_output=True, text=True
    )
    assert done.returncode == status
    assert ("sorry" in done.stderr) == (how == "words")
    assert ("ZeroDivisionError" in done.stderr) == (how == "error")


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_libraries_take_the_threads_of_the_job(warm: Warm, tmp_path: Path, threads: int) -> None:
    _script(tmp_path, THREADS)
    environment = warm.environment(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
    done = subprocess.check_output(["python", "step.py"], cwd=tmp_path, env=environment, text=True)
    assert done == f"{{{threads}}}\n"


@pytest.mark.parametrize(
    ("number", "said", "status"), [(signal.SIGTERM, "bye", 7), (signal.SIGINT, "interrupted", 8)]
)
def test_signals_reach_the_script(
    warm: Warm, tmp_path: Path, number: signal.Signals, said: str, status: int
) -> None:
    client, process = _sleeping(warm, tmp_path)
    client.send_signal(number)
    assert client.communicate()[0] == f"{said}\n"
    assert client.returncode == status
    assert _ended(process)


def test_a_script_stops_and_goes_on_with_its_client(warm: Warm, tmp_path: Path) -> None:
    client, process = _sleeping(warm, tmp_path)
    state = Path(f"/proc/{process}/stat")
    client.send_signal(signal.SIGTSTP)
    _until(lambda: state.read_text().split()[2] == "T")
    client.send_signal(signal.SIGCONT)
    _until(lambda: state.read_text().split()[2] == "S")
    client.terminate()
    assert client.wait() == 7


def test_a_script_dies_with_its_client(warm: Warm, tmp_path: Path) -> None:
    client, process = _sleeping(warm, tmp_path)
    client.kill()
    _until(lambda: _ended(process))
    client.communicate()
    assert _python_works(warm, tmp_path)


def test_everything_ends_with_the_owner(warm: Warm, tmp_path: Path) -> None:
    client, process = _sleeping(warm, tmp_path)
    server = warm.server()
    warm.owner.kill()
    _until(lambda: _ended(server) and _ended(process))
    assert "start the workflow again" in client.communicate()[0]
    assert client.returncode == 1
    assert _python_works(warm, tmp_path)


def test_without_a_server_scripts_start_as_ever(warm: Warm, tmp_path: Path) -> None:
    client, process = _sleeping(warm, tmp_path)
    os.kill(warm.server(), signal.SIGKILL)
    _until(lambda: _ended(process))
    client.communicate()
    assert client.returncode == 1
    assert _python_works(warm, tmp_path)


def test_a_server_with_threads_takes_no_scripts(owned: Callable[..., Warm], tmp_path: Path) -> None:
    busy = tmp_path / "busy.py"
    busy.write_text("import threading, time\nthreading.Thread(target=time.sleep, args=[2]).start()")
    warm = owned(busy)
    _until(lambda: _ended(warm.server()))
    assert not (warm.folder / "socket").exists()
    assert _python_works(warm, tmp_path)


def _python_works(warm: Warm, folder: Path) -> bool:
    script = _script(folder, "print('works')")
    command = ["python", str(script)]
    return subprocess.check_output(command, env=warm.environment()) == b"works\n"


def test_nobody_else_can_reach_the_server(warm: Warm) -> None:
    assert warm.folder.stat().st_mode & 0o777 == 0o700
    assert warm.folder.stat().st_uid == os.getuid()


def test_extras_that_a_fork_can_not_share_are_left_to_jobs(monkeypatch) -> None:
    started: list[str] = []
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(preload.forkserver, "start", lambda _, names, files: started.extend(names))
    preload.start(["train.py"] * (preload.MANY - 1))
    assert started == []
    preload.start(["train.py"] * preload.MANY)
    assert {"torch", "numpy"} <= set(started)
    assert not {name.split(".")[0] for name in started} & preload.EXTRAS


def test_a_folder_whose_path_is_too_long_for_a_socket_is_no_error(tmp_path) -> None:
    far = tmp_path / ("long" * 20) / ("long" * 20)
    far.mkdir(parents=True)
    assert not _is_used(far)
    assert list(far.iterdir()) == []


def test_a_disk_without_programs_is_no_error(tmp_path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", str(tmp_path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a disk without programs")
    try:
        assert not _is_used(tmp_path)
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def _is_used(folder: Path) -> bool:
    """Whether a server is started where temporary files go to ``folder``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("PATH", before := os.environ["PATH"])
        patch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a server was started"))
        forkserver.start(ROOT / "scripts", ["json"])
        return os.environ["PATH"] != before
