"""The commands beside the engines, what they refuse, and two people's work merged."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from triage_workflow.engines.lock import Lock, Origin

from engines_support import Project

CHECKPOINT = "results/beta/training/small/seed1/checkpoint.pt"


def test_why_names_the_reason_of_every_stale_file_in_both_engines(project: Project) -> None:
    assert "both engines agree" in project.command("why")
    project.set("studies.beta.arms.small.epochs", 4)
    project.write("results/alpha/table.csv", "mine\n")
    lines = dict(line.split("  ", 1) for line in project.command("why").splitlines())
    assert lines[CHECKPOINT] == (
        "Snakemake: epochs 1 -> 4; DVC: training@beta: params.yaml: studies.beta.arms modified"
    )
    assert lines["results/beta/metrics/small/seed1.json"] == (
        f"Snakemake: follows from {CHECKPOINT}; DVC: metrics@beta follows from training@beta"
    )
    assert lines["results/alpha/table.csv"] == (
        "Snakemake: table.csv: it is not what its job left; "
        "DVC: table@alpha: results/alpha/table.csv modified (its own file)"
    )
    assert set(lines) >= {"results/beta/table.csv", "results/report.html"}
    assert [line for line in lines if "alpha" in line] == ["results/alpha/table.csv"]


def test_why_of_changed_code_inputs_and_commands(project: Project) -> None:
    project.edit("scripts/split.py", "enumerate(lines)", "enumerate(lines, 1)")
    project.write("raw/beta/9.txt", "new\n")
    project.edit("Snakefile", "cat {input}", "cat -- {input}")
    lines = dict(line.split("  ", 1) for line in project.command("why").splitlines())
    assert lines["data/alpha/split/split.csv"] == (
        "Snakemake: its code changed; DVC: split@alpha follows from steps"
    )
    assert lines["data/beta/manifest.csv"] == (
        "Snakemake: data/beta/inventory.csv is not what it was made from; "
        "DVC: index@beta: raw/beta modified, data/beta/inventory.csv modified (its own file)"
    )
    assert lines["results/report.html"].startswith("Snakemake: the command of its rule changed;")


@pytest.mark.slow
def test_why_of_some_files_only(project: Project) -> None:
    project.set("recipe.rate", 0.4)
    lines = project.command("why", "results/alpha/metrics").splitlines()
    assert [line.split()[0] for line in lines] == ["results/alpha/metrics/small/seed1.json"]


def test_accepted_change(project: Project) -> None:
    project.edit("scripts/train.py", "+ str(model.FACTOR)", '+ "" + str(model.FACTOR)')
    assert "train beta small 1" in project.plan()
    project.command("accept", "train", "--reason", "the same text")
    project.assert_agreed()
    with project.path("accepted.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["file"] for row in rows} >= {CHECKPOINT}
    assert {row["reason"] for row in rows} == {"the same text"}
    assert {row["change"] for row in rows} == {"its code changed"}
    assert "Nothing of this is stale" in project.command("accept", "train", "--reason", "again")


@pytest.mark.slow
def test_accepting_one_study_leaves_the_others_stale(project: Project) -> None:
    project.set("recipe.rate", 0.4)
    project.command("accept", "training@beta", "--reason", "tried it, no difference")
    plan = project.plan()
    assert "train alpha small 1" in plan
    assert not [job for job in plan if "beta" in job]
    assert "training@beta" not in project.changed()


def test_an_accepted_change_travels(project: Project, folder: Path) -> None:
    project.set("recipe.rate", 0.4)
    project.command("accept", "train", "--reason", "no difference")
    project.commit()
    clone = project.clone(folder / "clone")
    clone.succeed("dvc", "pull", "--quiet")
    clone.assert_agreed()


def refused(project: Project, *steps: str) -> str:
    message = project.refusal("accept", *steps, "--reason", "because")
    assert not project.path("accepted.csv").exists()
    return message


def test_what_can_not_be_accepted(project: Project) -> None:
    assert "nonsense: is no step" in refused(project, "nonsense")
    assert "--reason: is empty" in project.refusal("accept", "train", "--reason", " ")
    project.set("recipe.rate", 0.4)
    assert f"is stale because {CHECKPOINT} is" in refused(project, "evaluate@beta")
    project.write(CHECKPOINT, "mine")
    assert "it is not what its job left, which can't be accepted" in refused(project, "train@beta")
    project.path(CHECKPOINT).unlink()
    assert "it is not there, which can't be accepted" in refused(project, CHECKPOINT)


REFUSED = {
    ("--config", "rate=3"): "--config and --configfile are not for this workflow",
    ("--touch",): "--touch takes stale files for fresh",
    ("--keep-incomplete",): "it looks like results",
    ("--persistence-backend", "db"): "its records are shared as files",
}


def test_refused_options(project: Project) -> None:
    project.set("recipe.rate", 0.4)
    for options, message in REFUSED.items():
        assert message in project.fail("snakemake", *options)
    assert "train beta small 1" in project.plan()


def test_narrowed_triggers_bless_nothing(project: Project) -> None:
    project.set("recipe.rate", 0.4)
    project.set("studies.beta.table.digits", 4)
    options = ["--rerun-triggers", "mtime", "--forcerun", "results/beta/table.csv"]
    assert "table beta" in project.snakemake("results/beta/table.csv", *options)
    assert {"training@beta", "training@alpha"} <= project.changed() | {"training@alpha"}
    assert "train beta small 1" in project.plan()


def test_forced_run(project: Project) -> None:
    ran = project.snakemake("--forcerun", "train")
    runs = ["alpha large 1", "alpha small 1", "beta small 1", "beta small 2"]
    assert ran == [f"train {run}" for run in runs]
    project.assert_agreed()


def test_lock_that_is_damaged(project: Project) -> None:
    text = project.text("snakemake.lock")
    project.write("snakemake.lock", text[: len(text) // 2])
    for arguments in (["--dry-run"], []):
        message = project.fail("snakemake", *arguments)
        assert "snakemake.lock" in message
        assert "python workflow/repair_locks.py" in message
    assert "Repaired snakemake.lock" in project.command("repair_locks")
    # What the lock lost is still in the records of this machine.
    project.assert_agreed()
    project.snakemake()
    assert project.text("snakemake.lock") == text


def test_lock_that_is_gone(project: Project) -> None:
    text = project.text("snakemake.lock")
    project.path("snakemake.lock").unlink()
    project.assert_agreed()
    project.snakemake()
    assert project.text("snakemake.lock") == text


def test_records_that_are_gone(project: Project) -> None:
    for path in (".snakemake", "snakemake.lock"):
        project.path(path).rename(project.path(f"{path}.away"))
    # Nothing tells any more what the files were made from.
    assert len(project.plan()) == 17
    project.path("snakemake.lock.away").rename(project.path("snakemake.lock"))
    project.assert_agreed()


def diverge(project: Project, changes: dict[str, tuple[str, object]]) -> None:
    """A branch for each change, run and committed; ends on the first."""
    key, _ = next(iter(changes.values()))
    project.set(key, project.get(key))  # written as the branches will write it
    project.commit()
    for branch, (key, value) in changes.items():
        project.git("checkout", "--quiet", "main")
        project.succeed("dvc", "checkout", "--quiet")
        project.git("checkout", "--quiet", "-b", branch)
        project.set(key, value)
        project.snakemake()
        project.commit()
    first = next(iter(changes))
    project.git("checkout", "--quiet", first)
    project.succeed("dvc", "checkout", "--quiet")


def test_two_peoples_work_on_different_studies_merged(project: Project) -> None:
    changes = {
        "one": ("studies.alpha.arms.large.rate", 0.3),
        "two": ("studies.beta.arms.small.epochs", 6),
    }
    diverge(project, changes)
    merged = project.run_git("merge", "--quiet", "two")
    # The report is of all studies, so that both made one; everything else merges by itself.
    assert "snakemake.lock" in merged
    assert project.text("snakemake.lock").count("<<<<<<<") == 1
    assert "holds a merge conflict" in project.fail("snakemake", "--dry-run")
    assert "Repaired snakemake.lock, dvc.lock, steps.json" in project.command("repair_locks")
    project.succeed("dvc", "checkout", "--quiet", "--force")
    assert project.plan() == ["report"]
    assert project.changed() == {"report", "steps"}
    project.snakemake()
    project.assert_agreed()
    project.commit("Merged")


@pytest.mark.slow
def test_two_peoples_work_on_the_same_study_merged(project: Project) -> None:
    changes = {
        "one": ("studies.beta.arms.small.epochs", 5),
        "two": ("studies.beta.arms.small.epochs", 6),
    }
    diverge(project, changes)
    project.run_git("merge", "--quiet", "two")
    project.git("checkout", "--ours", "params.yaml")
    project.command("repair_locks")
    project.succeed("dvc", "checkout", "--quiet", "--force")
    assert project.snakemake() == []
    project.assert_agreed()
    project.set("studies.beta.arms.small.epochs", 6)
    assert "train beta small 1" in project.plan()


def test_orphans_outside_of_the_project_stay(project: Project) -> None:
    victim = project.folder.parent / "victim"
    victim.write_text("precious")
    project.path("results/alpha/linked").symlink_to(victim.parent)
    lock = Lock.read(project.path("snakemake.lock"))
    content = json.loads(lock.text())
    for path in ("results/alpha/training/../../../../victim", "results/alpha/linked/victim"):
        job = Origin("train", "aa", (), {}, {path: "0" * 64}).dump()
        content["jobs"][path] = job
    project.write("snakemake.lock", json.dumps(content, indent=1))
    assert "no orphans" in project.command("orphans", "--remove")
    assert victim.read_text() == "precious"
