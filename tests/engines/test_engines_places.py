"""Where a project lies, what git does to it, and in what surroundings the engines are started."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engines_both import BETA_ALL, BETA_CHECKPOINT
from engines_support import ROOT, Project, jobs, wait_until

pytestmark = pytest.mark.slow
ONE = ["evaluate alpha large 1", "report", "table alpha", "train alpha large 1"]


def start_one(project: Project, value: float) -> None:
    project.set("studies.alpha.arms.large.rate", value)


def goes_on(project: Project, **environment: str) -> None:
    """Either engine makes what a change asks for, and both agree."""
    start_one(project, 0.3)
    assert project.snakemake(**environment) == ONE
    project.assert_agreed()
    start_one(project, 0.4)
    assert "training@alpha" in project.repro(**environment)
    project.assert_agreed()


@pytest.mark.parametrize("name", ["with a space", "Köln", "it's $HOME; (true)", "日本"])
def test_a_folder_of_any_name(made: Project, folder: Path, name: str) -> None:
    project = made.copy(folder / name)
    project.assert_agreed()
    goes_on(project)


def test_a_plain_locale(made: Project, folder: Path) -> None:
    project = made.copy(folder / "Köln")
    plain = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    goes_on(project, **plain)


def test_a_folder_that_was_moved(project: Project) -> None:
    moved = Project(project.folder.rename(project.folder.with_name("moved")), project.server)
    moved.assert_agreed()
    goes_on(moved)


def test_a_link_to_the_folder(project: Project) -> None:
    link = project.folder.with_name("link")
    link.symlink_to(project.folder)
    linked = Project(link, project.server)
    linked.assert_agreed()
    start_one(linked, 0.3)
    assert linked.snakemake() == ONE
    project.assert_agreed()
    start_one(project, 0.4)
    assert "training@alpha" in linked.repro()
    project.assert_agreed()


def test_a_worktree_of_git(project: Project) -> None:
    other = Project(project.folder.with_name("other"), project.server)
    other.folder.mkdir()
    project.server.own(other.folder)
    project.git("worktree", "add", "--quiet", str(other.folder), "-b", "other")
    other.succeed("dvc", "pull", "--quiet")
    other.assert_agreed()
    start_one(other, 0.3)
    assert other.snakemake() == ONE
    other.commit()
    other.assert_agreed()
    project.assert_agreed()


def test_a_detached_head(project: Project) -> None:
    project.git("checkout", "--quiet", "--detach")
    start_one(project, 0.3)
    assert project.snakemake() == ONE
    project.assert_agreed()
    output = project.succeed("dvc", "exp", "run", "-S", "studies.alpha.arms.large.rate=0.7")
    assert "Running stage 'training@alpha'" in output
    project.assert_agreed()


def test_locks_and_digests_put_aside_by_git(project: Project) -> None:
    start_one(project, 0.3)
    project.snakemake()
    project.git("stash", "push", "--quiet", "snakemake.lock", "dvc.lock", "steps.json")
    assert project.plan() == []
    project.snakemake()
    project.assert_agreed()
    project.git("checkout", "--quiet", "snakemake.lock", "dvc.lock", "steps.json")
    project.git("stash", "pop", "--quiet")
    project.assert_agreed()


def test_git_clean(project: Project) -> None:
    project.git("clean", "-d", "--force", "--quiet")
    project.assert_agreed()
    project.git("clean", "-d", "-x", "--force", "--quiet", "--exclude=.dvc/cache")
    project.succeed("dvc", "checkout", "--quiet")
    project.assert_agreed()


def test_a_clone_with_line_ends_of_windows(made: Project, folder: Path) -> None:
    environment = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.autocrlf"}
    environment["GIT_CONFIG_VALUE_0"] = "true"
    clone = made.clone(folder / "clone")
    clone.write(".gitattributes", (ROOT / ".gitattributes").read_text())
    clone.commit()
    for path in ("data/beta/folds.csv", "steps.json", "snakemake.lock", "dvc.lock"):
        clone.path(path).unlink()
    subprocess.run(
        [*clone.server.before, "git", "checkout", "--quiet", "."],
        cwd=clone.folder,
        env=clone.server.environment | environment,
        check=True,
    )
    clone.succeed("dvc", "pull", "--quiet")
    clone.assert_agreed()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_terminal_that_was_closed_or_interrupted(project: Project, number: int) -> None:
    project.set("recipe.rate", 0.9)
    process = project.start("snakemake", "--cores", "2", TRAIN_SECONDS="2")
    wait_until(lambda: not project.path(BETA_CHECKPOINT).exists(), process)
    os.killpg(process.pid, number)
    process.wait(60)
    assert "train beta small 1" in project.snakemake()
    project.assert_agreed()


def test_a_run_that_sleeps_is_at_work(project: Project) -> None:
    project.set("recipe.rate", 0.9)
    process = project.start("snakemake", TRAIN_SECONDS="1")
    wait_until(lambda: any(project.path(".snakemake/engines/running").glob("*.json")), process)
    os.killpg(process.pid, signal.SIGSTOP)
    assert "another run works in this folder" in project.fail("snakemake")
    assert "another run works in this folder" in project.fail("snakemake", "--unlock")
    os.killpg(process.pid, signal.SIGCONT)
    assert process.wait(60) == 0
    project.assert_agreed()


def test_few_open_files_and_variables_of_other_tools(project: Project) -> None:
    start_one(project, 0.3)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    odd = {"CDPATH": "/tmp", "GREP_OPTIONS": "--color", "COLUMNS": "20"}
    odd |= {"BASH_ENV": "/nowhere", "PYTHONSTARTUP": "/nowhere", "TMPDIR": "/nowhere/at all"}
    assert project.snakemake(**odd) == ONE
    start_one(project, 0.4)
    assert "training@alpha" in project.repro(**odd)
    project.assert_agreed()
    start_one(project, 0.5)
    limited = ["prlimit", f"--nofile=64:{before[1]}", "snakemake", "--cores", "2"]
    answer = subprocess.run(
        [*project.server.before, *limited],
        cwd=project.folder,
        env=project.server.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert jobs(answer.stdout + answer.stderr) == ONE


def test_as_cron_or_a_container_starts_it(project: Project) -> None:
    """No name of the user, no standard input, and next to no environment."""
    start_one(project, 0.3)
    home, here = project.server.environment["HOME"], Path(sys.executable).parent
    bare = ["env", "-i", "PATH=/usr/bin:/bin", f"HOME={home}", "sh", "-c", 'exec "$0" <&-']
    answer = subprocess.run(
        [*project.server.before, *bare, str(here / "snakemake")],
        cwd=project.folder,
        env=project.server.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert project.plan() == []


def test_a_long_dvc_push_beside_a_run(project: Project) -> None:
    start_one(project, 0.3)
    with open(project.path(".dvc/tmp/lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as DVC holds it
        output = project.succeed("snakemake")
    assert jobs(output) == ONE
    assert "DVC: could not be told of this run" in output
    assert "Traceback" not in output
    assert project.snakemake() == []
    project.assert_agreed()


def test_a_cache_of_dvc_that_is_gone(project: Project) -> None:
    subprocess.run(["rm", "-rf", project.path(".dvc/cache"), project.path(".dvc/tmp")], check=True)
    assert project.snakemake() == []  # DVC is told anew, and keeps all again
    project.assert_agreed()
    project.write("data/beta/withdrawn.csv", "case,date,reason\n2,2024-01-01,consent\n")
    assert project.snakemake() == BETA_ALL
    project.assert_agreed()


def test_records_of_this_machine_that_are_gone(project: Project) -> None:
    subprocess.run(["rm", "-rf", project.path(".snakemake")], check=True)
    project.assert_agreed()
    start_one(project, 0.3)
    assert project.snakemake() == ONE
    project.assert_agreed()
