"""Killed, without space, read-only or not alone, at every step: the next run makes the same bytes.

Each test goes through all steps of a small workflow in turn, from generating to the report: a run
for a step's files meets its fault there, and the run for the next step's has to mend it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from triage_workflow.engines.stages import Stages

from engines_support import Server
from faults import FILLER, TARGETS, Fault, Faulty, Step, project, steps_in, warm_python
from workflow_copy import ROOT

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Whole:
    """What an unbroken run makes, and in which steps."""

    files: dict[str, str]
    steps: list[Step]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return warm_python(tmp_path_factory.mktemp("python") / "mark")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, own_server: Server, python: Path) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    faulty = Faulty(project(folder / "project", own_server, python), folder)
    shutil.rmtree(faulty.folder / ".dvc")
    answer = faulty.run("snakemake", *TARGETS, FAULT_MARK=str(folder / "moves"))
    assert answer.code == 0, answer.output
    found = Whole(faulty.files(), steps_in(folder / "moves"))
    scripts = {step.script for step in found.steps}
    missing = {path.name for path in (ROOT / "scripts").glob("*.py")} - scripts
    # No steps, what only adds to a file, and what this study has none of: external sets, floors.
    external = {"exclude_seen.py", "compute_shift.py", "evaluate_external.py", "draw_external.py"}
    others = {"fit.py", "predict.py", "check_submission.py", "record_consent.py"}
    assert missing == external | others
    shutil.rmtree(faulty.folder)
    return found


@pytest.fixture
def faulty(tmp_path: Path, own_server: Server, python: Path) -> Faulty:
    return Faulty(project(tmp_path / "project", own_server, python), tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path, own_server: Server, python: Path) -> Iterator[Faulty]:
    """On a disk of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", disk]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield Faulty(project(disk / "project", own_server, python), tmp_path)
    subprocess.run(["umount", "--lazy", disk], check=True)


def check(faulty: Faulty, whole: Whole) -> None:
    """No file that is there is half of one."""
    for name, digest in faulty.files().items():
        assert whole.files.get(name) == digest, f"{name} is not what an unbroken run makes"


def finish(faulty: Faulty, whole: Whole) -> None:
    """One plain command makes all the rest, and then there is nothing to do."""
    answer = faulty.run("snakemake", *TARGETS)
    assert answer.code == 0, answer.output
    assert faulty.files() == whole.files
    assert "Nothing to be done" in faulty.run("snakemake", *TARGETS).output


def test_every_step_killed(faulty, whole):
    shutil.rmtree(faulty.folder / ".dvc")
    for step in whole.steps:
        fault = Fault(step.script, "die", step.moves)
        running = faulty.start("snakemake", step.target, fault=fault)
        running.wait()
        answer = running.answer()
        assert answer.code == 1, answer.output
        assert "Traceback" not in answer.output, answer.output
        check(faulty, whole)
    finish(faulty, whole)


def test_snakemake_killed_at_every_step_which_goes_on_for_a_while(faulty, whole):
    shutil.rmtree(faulty.folder / ".dvc")
    left = None
    for step in whole.steps:
        running = faulty.start("snakemake", step.target, fault=Fault(step.script, "wait", 1))
        running.wait()
        if left:
            left.go_on()
        left = running
        faulty.kill()
        assert running.answer().code == -9
        check(faulty, whole)
    left.go_on()
    finish(faulty, whole)


def test_two_runs_that_start_at_once(faulty, whole):
    target = "data/braintriage/statistics/fold0.json"
    never = Fault("report.py", "die", 1)
    both = [faulty.start("snakemake", target, fault=never) for _ in range(2)]
    answers = sorted((each.answer() for each in both), key=lambda answer: answer.code)
    assert answers[0].code == 0, answers[0].output
    # The other one may have come late enough to find all done.
    assert answers[1].code == 0 or "another run works in this folder" in answers[1].output
    check(faulty, whole)
    assert "Nothing to be done" in faulty.run("snakemake", target).output


def test_dvc_repro_killed_at_every_step(faulty, whole):
    stages = Stages.read(faulty.folder / "dvc.yaml")
    of = {step: stage for step in whole.steps if (stage := stages.of(step.target))}
    cuts = 0
    for step in sorted(of, key=lambda step: stages.names.index(of[step].name)):
        if (faulty.folder / step.target).exists():
            continue  # its stage has another step, which came after it
        cuts += 1
        fault = Fault(step.script, "wait", 1)
        running = faulty.start("dvc", "repro", of[step].address, fault=fault)
        running.wait()
        faulty.cut_power()
        assert running.answer().code == -9
        check(faulty, whole)
    assert cuts > 15
    finish(faulty, whole)
    assert "up to date" in faulty.run("dvc", "status").output


def test_two_runs_at_every_step(faulty, whole):
    shutil.rmtree(faulty.folder / ".dvc")
    for step in whole.steps:
        if (faulty.folder / step.target).exists():
            continue  # it belongs to the job before
        running = faulty.start("snakemake", step.target, fault=Fault(step.script, "wait", 1))
        running.wait()
        for arguments in [[step.target], ["--unlock"]][: 1 + (step is whole.steps[0])]:
            answer = faulty.run("snakemake", *arguments)
            assert answer.code == 1, answer.output
            assert "another run works in this folder: process" in answer.output
        running.go_on()
        assert running.answer().code == 0, running.answer().output
        check(faulty, whole)
    finish(faulty, whole)


def test_a_full_disk_at_every_step(small_disk, whole):
    for step in whole.steps:
        fault = Fault(step.script, "fill", 0)
        running = small_disk.start("snakemake", step.target, fault=fault)
        running.wait()
        answer = running.answer()
        assert answer.code == 1, answer.output
        assert "Traceback" not in answer.output, answer.output
        assert "free some space" in answer.output
        assert "corrupted" not in answer.output, answer.output
        check(small_disk, whole)
        (small_disk.folder / FILLER).unlink()
    finish(small_disk, whole)


def test_a_read_only_disk_is_told_of(small_disk, tmp_path):
    target = "data/braintriage/phantom.csv"
    assert small_disk.run("snakemake", target).code == 0
    (small_disk.folder / target).unlink()
    for mode, code in (("ro", 1), ("rw", 0)):
        subprocess.run(["mount", "-o", f"remount,{mode}", tmp_path / "disk"], check=True)
        answer = small_disk.run("snakemake", target)
        assert answer.code == code, answer.output
        assert ("make the folder writable" in answer.output) == (mode == "ro")
        assert "Traceback" not in answer.output, answer.output


def test_read_only_folders_at_every_step(small_disk, whole):
    shutil.rmtree(small_disk.folder / ".dvc")
    for step in whole.steps:
        fault = Fault(step.script, "read only", 1)
        running = small_disk.start("snakemake", step.target, fault=fault)
        running.wait()
        answer = running.answer()
        for name in ("data", "results"):
            subprocess.run(["umount", small_disk.folder / name], capture_output=True, check=False)
        assert answer.code == 1, answer.output
        assert "Traceback" not in answer.output, answer.output
        assert "make the folder writable" in answer.output
        check(small_disk, whole)
    finish(small_disk, whole)
