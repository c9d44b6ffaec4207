"""Steps end with their run, however that ends, and the next run waits until they have."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SNAKEFILE = """
from pathlib import Path
from triage_workflow.engines.start import attach

attach(workflow, Path("params.yaml"), {}, {})

rule made:
    output: "results/made"
    shell: "python step.py --made {output}"
"""
# Like a training: on SIGTERM it saves what it has reached, and its results come late.
STEP = """
import os, sys, time
from pathlib import Path
from triage import command

def main(made: Path) -> None:
    Path("begun").write_text(str(os.getpid()))
    try:
        time.sleep(float(os.environ["STEP_SECONDS"]))
        made.write_text(os.environ["STEP_SECONDS"])
    finally:
        time.sleep(0.3)
        Path("saved").touch()

command.run(main)
"""


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "Snakefile").write_text(SNAKEFILE)
        (path / "step.py").write_text(STEP)
        self.started: list[subprocess.Popen[str]] = []

    def start(self, seconds: float) -> subprocess.Popen[str]:
        program = Path(sys.executable).parent
        process = subprocess.Popen(
            [program / "snakemake", "--cores", "1"],
            cwd=self.path,
            env=os.environ
            | {
                "PATH": f"{program}{os.pathsep}{os.environ['PATH']}",
                "STEP_SECONDS": str(seconds),
                "XDG_CACHE_HOME": str(self.path / "cache"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def step(self) -> int:
        """The process of the step, once it is at work."""
        wait((self.path / "begun").exists)
        wait(lambda: bool((self.path / "begun").read_text()))
        return int((self.path / "begun").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.communicate()


def wait(come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_step_ends_with_its_run_that_was_killed_and_the_next_run_waits(folder: Folder) -> None:
    killed = folder.start(30)
    step = folder.step()
    killed.kill()
    killed.wait()
    following = folder.start(0.1)
    output, _ = following.communicate(timeout=60)
    assert following.returncode == 0, output
    assert not is_alive(step)
    assert (folder.path / "saved").exists()
    assert (folder.path / "results/made").read_text() == "0.1"


def test_sigterm_ends_a_run_as_soon_as_its_steps_have_saved(folder: Folder) -> None:
    process = folder.start(600)
    step = folder.step()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0, output
    assert "stopped, since the run that this step belongs to is over" in output
    assert (folder.path / "saved").exists()
    assert not is_alive(step)
    assert not (folder.path / "results/made").exists()


def test_a_live_run_in_another_container_is_seen(folder: Folder) -> None:
    """Other process numbers, another host name and no sight of the other's processes."""
    process = folder.start(600)
    folder.step()
    program = [str(Path(sys.executable).parent / "snakemake"), "--cores", "1"]
    apart = ["unshare", "--pid", "--uts", "--fork", "--mount-proc", "sh", "-c"]
    apart.append('hostname elsewhere && exec "$0" "$@"')
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user can't make namespaces")
    for options in ([], ["--unlock"]):
        other = subprocess.run(
            [*apart, *program, *options],
            cwd=folder.path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert other.returncode == 1, other.stderr
        assert f"another run works in this folder: process {process.pid} on" in other.stderr
        assert "Traceback" not in other.stderr
    assert process.poll() is None
