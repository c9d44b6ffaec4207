"""What each edited file makes each engine do: results, code, raw data and settings."""

from __future__ import annotations

import os

import pytest

from engines_both import BETA_ALL, BETA_CHECKPOINT, BOTH
from engines_support import Project, wait_until


@pytest.mark.parametrize("engine", ["snakemake", "dvc"])
def test_edited_result(project: Project, engine: str) -> None:
    path = "results/beta/training/small/seed2/history.csv"
    right = project.text(path)
    project.write(path, "0,0.9\n")
    project.age([path], 1e6)  # an editor that keeps the time, or a copy of an older file
    assert "train beta small 2" in project.plan()
    assert "training@beta" in project.changed()
    if engine == "dvc":
        # What comes out the same stops there.
        assert project.repro() == ["training@beta"]
    else:
        assert "train beta small 2" in project.snakemake()
    assert project.text(path) == right
    project.assert_agreed()


def test_edit_undone(project: Project) -> None:
    path = "results/beta/table.csv"
    right = project.text(path)
    project.write(path, "nonsense\n")
    assert project.plan() == ["report", "table beta"]
    project.write(path, right)
    project.assert_agreed()


@pytest.mark.parametrize("engine", BOTH)
def test_deleted_result(project: Project, engine: str) -> None:
    project.path("results/alpha/training/small/seed1/checkpoint.pt").unlink()
    assert "train alpha small 1" in project.plan()
    assert "training@alpha" in project.changed()
    if engine == "dvc":
        assert project.repro() == ["training@alpha"]
    else:
        assert project.snakemake() == ["train alpha small 1"]
    project.assert_agreed()


def test_file_of_unknown_origin(project: Project) -> None:
    project.set("studies.beta.seeds", [1, 2, 3])
    copied = project.text("results/beta/metrics/small/seed2.json")
    project.write("results/beta/metrics/small/seed3.json", copied)
    assert "evaluate beta small 3" in project.plan()


def test_comment_edited(project: Project) -> None:
    project.edit("scripts/train.py", "import hashlib", "# A comment.\nimport hashlib")
    project.edit("scripts/lib/files.py", "whole or not at all", "all of it, or nothing")
    assert project.plan() == []
    assert project.changed() == {"steps"}
    project.snakemake()
    project.assert_agreed()
    project.edit("scripts/train.py", "# A comment.\n", "\n\n")
    assert project.repro() == ["steps"]
    project.assert_agreed()


@pytest.mark.parametrize("engine", BOTH)
def test_code_edited(project: Project, engine: str) -> None:
    project.edit("scripts/evaluate.py", "/ cases}", "/ cases / 2}")
    evaluations = ["alpha large 1", "alpha small 1", "beta small 1", "beta small 2"]
    plan = [f"evaluate {run}" for run in evaluations] + ["report", "table alpha", "table beta"]
    assert project.plan() == plan
    if engine == "dvc":
        ran = ["steps", "metrics@alpha", "metrics@beta", "table@alpha", "table@beta", "report"]
        assert sorted(project.repro()) == sorted(ran)
    else:
        assert project.snakemake() == plan
    project.assert_agreed()


@pytest.mark.parametrize("engine", BOTH)
def test_code_edited_that_changes_no_file(project: Project, engine: str) -> None:
    project.edit("scripts/split.py", "enumerate(lines)", "enumerate(list(lines))")
    if engine == "dvc":
        assert sorted(project.repro()) == ["split@alpha", "split@beta", "steps"]
    else:
        assert "train beta small 1" in project.plan()
        assert project.snakemake() == ["split alpha", "split beta"]
    project.assert_agreed()


@pytest.mark.parametrize("engine", BOTH)
def test_architecture_edited(project: Project, engine: str) -> None:
    project.edit("scripts/lib/models/deep.py", "3", "4")
    plan = ["evaluate alpha large 1", "report", "table alpha", "train alpha large 1"]
    assert project.plan() == plan
    if engine == "dvc":
        ran = ["steps", "training@alpha", "metrics@alpha", "table@alpha", "report"]
        assert project.repro() == ran
    else:
        assert project.snakemake() == plan
    project.assert_agreed()


def test_command_of_a_rule_edited(project: Project) -> None:
    project.edit("Snakefile", '"cat {input} > {output}"', '"cat  {input}\\t > {output}"')
    assert project.plan() == []
    project.edit("Snakefile", "cat  {input}\\t >", "head -n 99 {input} >")
    assert project.plan() == ["report"]
    assert project.repro() == ["steps", "report"]
    project.assert_agreed()


@pytest.mark.parametrize("engine", BOTH)
def test_case_withdrawn(project: Project, engine: str) -> None:
    project.write("data/beta/withdrawn.csv", "case,date,reason\n2,2024-01-01,consent\n")
    assert project.plan() == BETA_ALL
    assert project.changed() == {"index@beta"}
    if engine == "dvc":
        after = ["split", "training", "metrics", "table"]
        assert project.repro() == ["index@beta", *(f"{step}@beta" for step in after), "report"]
    else:
        assert project.snakemake() == BETA_ALL
    project.assert_agreed()


def change_raw_data(project: Project, change: str) -> None:
    if change == "missing":
        project.path("raw/beta/2.txt").unlink()
    else:
        project.write(f"raw/beta/{4 if change == 'added' else 2}.txt", "new\n")


@pytest.mark.parametrize("change", ["added", "changed", "missing"])
def test_raw_data_changed(project: Project, change: str) -> None:
    change_raw_data(project, change)
    assert project.changed() == {"index@beta"}
    assert project.plan() == BETA_ALL


@pytest.mark.parametrize("engine", BOTH)
@pytest.mark.parametrize(
    "change",
    ["changed", *(pytest.param(each, marks=pytest.mark.slow) for each in ("added", "missing"))],
)
def test_changed_raw_data_is_read(project: Project, change: str, engine: str) -> None:
    change_raw_data(project, change)
    if engine == "dvc":
        assert project.repro()[0] == "index@beta"
    else:
        assert project.snakemake() == BETA_ALL
    project.assert_agreed()


def test_generated_raw_data_changed_by_hand(project: Project) -> None:
    project.write("data/alpha/phantom/9.txt", "mine\n")
    assert project.plan()[-1:] == ["train alpha small 1"]
    assert "phantom@alpha" in project.changed()
    assert project.snakemake() == ["phantom alpha"]
    assert not project.path("data/alpha/phantom/9.txt").exists()
    project.assert_agreed()


def test_generated_raw_data_taken_away_is_made_again(project: Project) -> None:
    for path in project.path("data/alpha/phantom").iterdir():
        path.unlink()
    assert "phantom alpha" in project.snakemake()
    project.assert_agreed()


@pytest.mark.slow
def test_settings_edited_during_a_run_bless_nothing(project: Project) -> None:
    project.set("recipe.rate", 0.9)
    process = project.start("snakemake", TRAIN_SECONDS="1")
    wait_until(lambda: not project.path(BETA_CHECKPOINT).exists(), process)
    project.set("studies.alpha.split.k", 3)
    assert process.wait() == 0
    assert {"split@alpha", "training@beta"} <= project.changed()
    assert {"split alpha", "train alpha large 1"} <= set(project.snakemake())
    project.assert_agreed()


def test_input_edited_while_it_is_read_is_noticed(project: Project) -> None:
    project.set("recipe.rate", 0.9)
    process = project.start("snakemake", "beta_training", TRAIN_SECONDS="1")
    wait_until(lambda: not project.path(BETA_CHECKPOINT).exists(), process)
    split = project.text("data/beta/split/split.csv")
    project.write("data/beta/split/split.csv", split.replace(",1", ",2"))
    process.wait()
    assert {"split beta", "train beta small 1"} <= set(project.plan())
    project.snakemake()
    project.assert_agreed()
    assert project.text("data/beta/split/split.csv") == split


@pytest.mark.parametrize("engine", BOTH)
def test_inputs_dated_ahead_are_inputs_like_others(project: Project, engine: str) -> None:
    for path in ("data/beta/split/split.csv", "data/beta/manifest.csv", "raw/beta/1.txt"):
        project.age([path], -3600)
    project.assert_agreed()
    project.set("recipe.rate", 0.9)
    if engine == "dvc":
        project.repro()
    else:
        assert "train beta small 1" in project.snakemake()
    project.assert_agreed()


def test_raw_file_of_the_same_size_and_time_is_read_again(project: Project) -> None:
    path, status = project.path("raw/beta/2.txt"), project.path("raw/beta/2.txt").stat()
    text = path.read_text()
    path.write_text(text.swapcase() if text.swapcase() != text else text[::-1])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_ino, path.stat().st_size) == (status.st_ino, status.st_size)
    assert project.snakemake() == BETA_ALL


def test_what_others_left_read_only_is_replaced(project: Project) -> None:
    for path in project.path("results").rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    project.set("recipe.rate", 0.9)
    assert "train beta small 1" in project.snakemake()
    project.assert_agreed()
