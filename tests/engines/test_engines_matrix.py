"""What each situation makes each engine do, on both engines and a real remote."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from triage_workflow.engines import dvc_adapter

from engines_both import BETA_CHECKPOINT, BOTH
from engines_support import Project, Server, jobs, kill_when, stages
from triage import pseudonyms


def shuffle_times(project: Project) -> None:
    files = [path for path in project.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    kept = [path for path in files if {".git", ".dvc"}.isdisjoint(path.parts)]
    chance = random.Random(0)
    project.age([str(path.relative_to(project.folder)) for path in kept], chance.uniform(1, 1e6))
    for path in kept:
        project.age([str(path.relative_to(project.folder))], chance.uniform(1, 1e6))


def test_after_snakemake_both_have_nothing_to_do(project: Project) -> None:
    project.assert_agreed()
    assert project.snakemake() == []
    assert project.repro() == []


def test_after_dvc_both_have_nothing_to_do(made: Project, server: Server, folder: Path) -> None:
    fresh = made.clone(folder / "fresh")
    for name in ("snakemake.lock", "dvc.lock", "steps.json"):
        fresh.path(name).unlink()
    fresh.repro()
    fresh.assert_agreed()
    assert fresh.text("snakemake.lock") == made.text("snakemake.lock")
    assert fresh.text("steps.json") == made.text("steps.json")


@pytest.mark.parametrize(
    "link", ["copy", pytest.param("hardlink", marks=pytest.mark.slow), "symlink", "reflink"]
)
def test_clone_and_pull(made: Project, folder: Path, link: str) -> None:
    clone = made.clone(folder / "clone", link)
    pulled = clone.run("dvc", "pull", "--quiet")
    if pulled.code and link == "reflink":
        pytest.skip("this file system has no reflinks")
    assert pulled.code == 0, pulled.output
    if link == "copy":
        shuffle_times(clone)
    clone.assert_agreed()
    assert clone.snakemake() == []
    assert clone.git("status", "--porcelain") == ""


def test_clone_without_pull_says_how_to_get_results(made: Project, folder: Path) -> None:
    clone = made.clone(folder / "clone")
    assert "`dvc pull` fetches" in clone.succeed("snakemake", "--dry-run")


@pytest.mark.parametrize("engine", BOTH)
def test_clone_pull_and_a_changed_parameter(made: Project, folder: Path, engine: str) -> None:
    clone = made.clone(folder / "clone", "hardlink")
    clone.succeed("dvc", "pull", "--quiet")
    clone.set("studies.alpha.arms.large.rate", 0.3)
    ran = ["evaluate alpha large 1", "report", "table alpha", "train alpha large 1"]
    assert clone.plan() == ran
    assert clone.changed() == {"steps", "training@alpha"}
    if engine == "snakemake":
        assert clone.snakemake() == ran
    else:
        after = ["steps", "training@alpha", "metrics@alpha", "table@alpha", "report"]
        assert clone.repro() == after
    clone.assert_agreed()


def test_a_changed_parameter_and_back_again(project: Project) -> None:
    lock = project.text("snakemake.lock")
    project.set("studies.beta.split.k", 2)
    assert project.plan()
    project.set("studies.beta.split.k", 3)
    project.assert_agreed()
    project.set("studies.beta.split.k", 2)
    changed = project.snakemake()
    project.set("studies.beta.split.k", 3)
    assert project.snakemake() == changed
    project.assert_agreed()
    assert project.text("snakemake.lock") == lock


def test_branches_there_and_back(project: Project) -> None:
    project.git("checkout", "--quiet", "-b", "other")
    project.set("studies.alpha.arms.large.epochs", 5)
    project.snakemake()
    project.commit()
    for branch in ("main", "other", "main"):
        project.git("checkout", "--quiet", branch)
        assert project.plan()
        project.succeed("dvc", "checkout", "--quiet")
        project.assert_agreed()
        assert project.snakemake() == []
        assert project.git("status", "--porcelain") == ""


def test_killed_snakemake(project: Project) -> None:
    project.set("recipe.rate", 0.5)
    project.set("studies.beta.seeds", [1, 2, 3, 4])
    whole = project.plan()
    process = project.start("snakemake", "--cores", "1", TRAIN_SECONDS="0.5")
    kill_when(process, project.path(".snakemake/engines/journal.jsonl").exists)
    plan = project.plan()
    assert set(plan) < set(whole)
    assert project.snakemake() == plan
    project.assert_agreed()


@pytest.mark.slow
def test_killed_dvc_repro(project: Project) -> None:
    project.set("studies.alpha.split.k", 3)
    split = project.path("data/alpha/split/split.csv")
    process = project.start("dvc", "repro", TRAIN_SECONDS="5")
    kill_when(process, lambda: split.exists() and split.read_text().strip().endswith(",0"))
    project.repro()
    project.assert_agreed()


@pytest.mark.slow
def test_alternating(project: Project) -> None:
    for epochs, engine in enumerate(["snakemake", "dvc", "snakemake", "dvc"], 5):
        project.set("studies.beta.arms.small.epochs", epochs)
        if engine == "dvc":
            assert "training@beta" in project.repro()
        else:
            assert "train beta small 1" in project.snakemake()
        project.assert_agreed()
        # What is written of a run is what DVC itself would write.
        lock = project.text("dvc.lock")
        project.succeed("dvc", "commit", "--force", "--quiet", "--no-relink")
        assert project.text("dvc.lock") == lock


@pytest.mark.parametrize("engine", BOTH)
def test_new_seed(project: Project, engine: str) -> None:
    project.set("studies.beta.seeds", [1, 2, 7])
    new = ["evaluate beta small 7", "report", "table beta", "train beta small 7"]
    assert project.plan() == new
    assert project.changed() == {"steps", "training@beta"}
    if engine == "dvc":
        assert project.repro() == [
            "steps",
            "training@beta",
            "metrics@beta",
            "table@beta",
            "report",
        ]
    else:
        assert project.snakemake() == new
    project.assert_agreed()


def test_new_arm_and_taken_away_again(project: Project) -> None:
    lock = project.text("snakemake.lock")
    project.set("studies.beta.arms.wide", {"architecture": "deep"})
    new = {f"{step} beta wide {seed}" for step in ("train", "evaluate") for seed in (1, 2)}
    assert set(project.plan()) == new | {"report", "table beta"}
    project.snakemake()
    project.set("studies.beta.arms.wide", None)
    assert project.snakemake() == ["report", "table beta"]
    project.assert_agreed()
    orphans = project.command("orphans")
    assert orphans.count("results/beta/training/wide/") == 4
    assert orphans.count("results/beta/metrics/wide/") == 2
    assert "6 orphans" in orphans
    assert project.path("results/beta/training/wide/seed1/checkpoint.pt").exists()
    project.command("orphans", "--remove")
    assert not project.path("results/beta/training/wide").exists()
    assert "no orphans" in project.command("orphans")
    project.assert_agreed()
    assert project.text("snakemake.lock") == lock


@pytest.mark.slow
def test_arm_taken_away_and_back_is_not_made_again(project: Project) -> None:
    block = {"architecture": "deep", "rate": 0.2}
    project.set("studies.alpha.arms.large", None)
    project.repro()
    project.set("studies.alpha.arms.large", block)
    assert project.plan() == ["report", "table alpha"]


def test_unknown_file_beside_results(project: Project) -> None:
    project.write("results/alpha/training/notes.txt", "mine\n")
    assert project.plan() == []
    assert project.snakemake() == []
    project.assert_agreed()
    assert project.text("results/alpha/training/notes.txt") == "mine\n"
    assert "no orphans" in project.command("orphans")


def test_experiment(project: Project) -> None:
    output = project.succeed("dvc", "exp", "run", "-S", "studies.alpha.arms.large.rate=0.7")
    after = ["training@alpha", "metrics@alpha", "table@alpha", "report"]
    assert stages(output) == ["steps", *after]
    assert "rate: 0.7" in project.text("params.yaml")
    project.assert_agreed()


@pytest.mark.slow
def test_experiment_aside(project: Project) -> None:
    setting = "studies.alpha.arms.large.rate=0.7"
    output = project.succeed("dvc", "exp", "run", "--temp", "--name", "aside", "-S", setting)
    # In a folder of its own, where Snakemake finds what it needs in the lock.
    assert stages(output) == ["steps", "training@alpha", "metrics@alpha", "table@alpha", "report"]
    assert "train alpha large 1" in jobs(output)
    assert "train alpha small 1" not in jobs(output)
    project.assert_agreed()
    project.succeed("dvc", "exp", "apply", "aside")
    assert "rate: 0.7" in project.text("params.yaml")
    project.assert_agreed()


def test_partial_pull(made: Project, folder: Path) -> None:
    clone = made.clone(folder / "clone")
    of_beta = ["index@beta", "split@beta", "training@beta", "metrics@beta", "table@beta"]
    clone.succeed("dvc", "pull", "--quiet", *of_beta)
    assert clone.plan("results/beta/table.csv") == []
    assert clone.plan("beta_training") == []
    assert not clone.changed() & set(of_beta)
    ours = [job for job in clone.plan() if "beta" in job]
    assert ours == []
    clone.set("studies.beta.table.digits", 1)
    assert clone.snakemake("results/beta/table.csv") == ["table beta"]
    assert not clone.changed() & set(of_beta)


def test_target_alone_blesses_nothing_else(project: Project) -> None:
    project.set("recipe.rate", 0.9)
    project.snakemake("alpha_training", "beta_training", "results/beta/metrics/small/seed1.json")
    assert project.changed() == {"metrics@alpha", "metrics@beta", "table@beta"}
    left = ["evaluate alpha small 1", "evaluate beta small 2", "report"]
    assert project.plan() == [*left, "table alpha", "table beta"]


@pytest.mark.slow
def test_batches_of_many_runs(project: Project) -> None:
    project.set("recipe.rate", 0.9)
    made = []
    for batch in ("1/2", "2/2"):
        output = project.succeed("snakemake", "--batch", f"beta_metrics={batch}", "beta_metrics")
        assert "--batch looks at a part only: a run without it will tell DVC" in output
        made += jobs(output)
    runs = ("beta small 1", "beta small 2")
    assert sorted(made) == [f"{step} {run}" for step in ("evaluate", "train") for run in runs]
    assert "table beta" in project.snakemake()
    project.assert_agreed()


def test_failed_run_keeps_the_books_of_what_was_made(project: Project) -> None:
    project.set("studies.alpha.table.digits", "nonsense")
    project.set("studies.beta.table.digits", 1)
    answer = project.run("snakemake")
    assert answer.code != 0
    assert "Error in rule table" in answer.output
    assert project.plan() == ["report", "table alpha"]
    assert "table@beta" not in project.changed()
    assert "table@alpha" in project.changed()


def test_a_table_that_only_grows_is_never_deleted(project: Project) -> None:
    folds = {path: path.read_bytes() for path in project.path("data").glob("*/folds.csv")}
    assert len(folds) == 2
    project.succeed("snakemake", "--delete-all-output")
    assert not project.path("data/beta/split/split.csv").exists()
    assert not project.path(BETA_CHECKPOINT).exists()
    assert {path: path.read_bytes() for path in folds} == folds
    project.edit("scripts/split.py", "# A table that only grows.", "sys.exit(1)")
    assert project.run("snakemake").code != 0
    assert {path: path.read_bytes() for path in folds} == folds
    project.edit("scripts/split.py", "sys.exit(1)", "# A table that only grows.")
    project.snakemake()
    project.assert_agreed()


def test_dvc_is_told_what_to_type_where_it_wants_what_is_made(project: Project) -> None:
    output = project.succeed("dvc", "repro", "--force", "--single-item", "metrics@beta")
    assert jobs(output) == []
    assert "nothing runs. To run it all the same: snakemake --forcerun RULE" in output
    project.assert_agreed()


def test_a_copy_without_git_works_throughout(project: Project) -> None:
    shutil.rmtree(project.path(".git"))
    project.set("studies.alpha.arms.large.rate", 0.9)
    assert "Snakemake: rate 0.2 -> 0.9" in project.command("why")
    output = project.succeed("snakemake")
    assert "DVC was told of" in output
    assert "warning" not in output.lower()
    project.assert_agreed()
    project.set("studies.alpha.arms.large.rate", 0.8)
    assert "training@alpha" in project.repro()
    project.git("init", "--quiet", "--initial-branch", "main")
    assert project.snakemake() == []
    assert "no_scm" not in project.text(".dvc/config.local")


def test_an_experiment_aside_shares_the_key_of_pseudonyms(tmp_path: Path) -> None:
    aside = tmp_path / ".dvc/tmp/exps/temp1"
    aside.mkdir(parents=True)
    main = dvc_adapter.main_checkout(aside)
    assert main == tmp_path
    assert dvc_adapter.main_checkout(tmp_path) == tmp_path
    pseudonyms.provide(main, aside / "pseudonyms.key")  # which the main one lacks as well
    assert pseudonyms.shown("P1", True, aside / "pseudonyms.key") == pseudonyms.shown(
        "P1", True, tmp_path / "pseudonyms.key"
    )


def test_another_key_of_pseudonyms_is_another_step(tmp_path: Path) -> None:
    keys = [tmp_path / name for name in ("one.key", "two.key")]
    for key in keys:
        pseudonyms.provide(tmp_path, key)
    assert len({pseudonyms.fingerprint(key) for key in keys}) == 2
    assert all(pseudonyms.fingerprint(key) not in key.read_text() for key in keys)
