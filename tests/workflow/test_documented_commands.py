"""Every command that the documentation gives is run: here, or by a test that is named."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from browser import CHROMIUM, DRIVER, MISSING, browser
from workflow_copy import ROOT, Workflow

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
PROGRAMS = r"(?:[A-Z_]+=\S+ )?(?:make|snakemake|dvc|python|pip|git|source|export|cp|pre-commit)"

# Run below as they stand, one after the other, but for names of studies that the copy lacks.
HERE = r"""
dvc remote add --default store /mnt/group/triage
git add -A
git commit -m "Six epochs"
dvc push
dvc push && dvc pull
snakemake -n
snakemake --cores 8
snakemake --cores 8 results/braintriage/submission.csv
snakemake --cores 8 braintriage_training
snakemake --cores 8 mine_explore
dvc repro
dvc metrics show
dvc params diff
dvc metrics diff
dvc exp show --only-changed --drop '(?!recipe|defaults)\w+\.\w+$|[^:]+/[^:]+$'
dvc plots show
dvc plots diff HEAD workspace
python workflow/stages.py
dvc pull $(python workflow/stages.py pneumonia)
python workflow/why.py
python workflow/orphans.py
python workflow/repair_locks.py
python workflow/verify.py
""".strip().splitlines()
STAND_INS = {"pneumonia": "braintriage", "mine_": "braintriage_", "/mnt/group": "../group"}

REMOTES = "tests/engines/test_engines_remotes.py::test_push_and_pull_of_one_study_and_of_all"
SLURM = "tests/workflow/test_slurm.py::test_a_whole_study_on_slurm_has_the_bytes_of_a_local_run"
OWN_DATA = "tests/workflow/test_your_data.py::test_every_command_of_the_tutorial_runs"
EXTRAS = "tests/workflow/test_documented_commands.py::test_extras_that_are_named_are_there"
# Beginnings of commands that are run elsewhere, and where.
ELSEWHERE = {
    "make run": ".ci/run",
    "make test": ".ci/run",
    "make lint": ".ci/run",
    "make docs": ".ci/run",
    "make setup": "Makefile",  # before each of the others
    "source .venv/bin/activate": "tests/workflow/test_docs.py::test_the_environment_is_activated",
    "make audit": ".github/workflows/audit.yml",
    "make lock": (
        "tests/workflow/test_trust.py::test_every_pinned_package_has_the_hashes_of_its_files"
    ),
    "python benchmarks/bench_real_data.py": (
        "tests/workflow/test_public_data.py::test_the_page_says_what_the_tables_say"
    ),
    "make pictures": "tests/workflow/test_docs.py::test_pictures_are_made_from_results",
    "pre-commit install": "tests/workflow/test_docs.py::test_hooks_are_what_lint_checks",
    "pip install --constraint constraints.txt --editable": EXTRAS,
    "snakemake --profile workflow/profiles/slurm": SLURM,
    "export SNAKEMAKE_PROFILE=workflow/profiles/slurm": SLURM,
    "snakemake --cores 16 --resources gpu=4": (
        "tests/workflow/test_slurm.py::test_no_more_jobs_run_at_once_than_there_are_gpus"
    ),
    "snakemake --cores 8 braintriage_export": (
        "tests/training/test_stages.py::test_an_exported_model_says_what_the_workflow_says"
    ),
    "TRIAGE_TRACKING=tensorboard,wandb snakemake": (
        "tests/training/test_tracking.py::test_trackers_are_told_the_history_and_change_nothing"
    ),
    "python scripts/predict.py": (
        "tests/training/test_predict.py::test_new_files_are_predicted_as_by_the_workflow"
    ),
    "python -m triage_workflow.params.documents": "tests/settings/test_schema.py::",
    "python workflow/accept.py": ("tests/engines/test_engines_commands.py::test_accepted_change"),
    "python workflow/new_study.py": OWN_DATA,
    "snakemake --cores 2": OWN_DATA,
    "cp -r data/melanoma/phantom": OWN_DATA,
    "dvc exp run -n slower": "tests/engines/test_engines_workflow.py::test_an_experiment",
    "dvc remote add --default store s3": REMOTES,
    "dvc remote add --default store ssh": REMOTES,
    "dvc remote modify": REMOTES,
}


def commands(page: Path) -> list[str]:
    """The commands in a page's blocks of no language, without comments."""
    text = page.read_text(encoding="utf-8").replace("\\\n", "")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = "\n".join(block for language, block in blocks if not language).splitlines()
    bare = (re.sub(r"\s+", " ", line.partition(" #")[0]).strip() for line in lines)
    return [line for line in bare if re.match(rf"{PROGRAMS} ", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_run_by_a_test(page: Path) -> None:
    for command in commands(page):
        is_run = command in HERE or any(map(command.startswith, ELSEWHERE))
        assert is_run, f"{page.name}: {command}: add it to HERE, or name its test in ELSEWHERE"


def test_no_command_is_run_that_no_page_gives() -> None:
    given = [command for page in PAGES for command in commands(page)]
    assert set(HERE) <= set(given)
    assert all(any(command.startswith(each) for command in given) for each in ELSEWHERE)


@pytest.mark.parametrize("command", ELSEWHERE)
def test_the_test_that_is_named_is_there(command: str) -> None:
    path, _, name = ELSEWHERE[command].partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert (f"def {name}" if path.startswith("tests") else command.split()[-1]) in text


def test_extras_that_are_named_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for page in PAGES:
        for names in re.findall(r'--editable "\.\[([\w,]+)\]"', page.read_text(encoding="utf-8")):
            assert set(names.split(",")) <= set(project["optional-dependencies"]), page.name


@pytest.fixture(scope="module")
def project(done: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A copy of a whole run, as a clone of the project has it."""
    folder = tmp_path_factory.mktemp("documented") / "project"
    shutil.copytree(done.folder, folder, symlinks=True)
    workflow = Workflow.at(folder)
    shutil.copy(ROOT / ".dvc/plots.html", folder / ".dvc")
    workflow.run("dvc", "config", "plots.html_template", "plots.html")
    workflow.run("git", "config", "user.name", "A Person")
    workflow.run("git", "config", "user.email", "person@example.org")
    return workflow


@pytest.mark.slow
def test_commands_run_as_they_stand(project: Workflow) -> None:
    shown = {}
    for command in HERE:
        adapted = command
        for name, other in STAND_INS.items():
            adapted = adapted.replace(name, other)
        shown[command] = project.run("bash", "-c", adapted)
    assert "Nothing to be done" in shown["snakemake -n"]
    assert "roc_auc" in shown["dvc metrics show"]
    steps = shown["python workflow/stages.py"].splitlines()
    assert len(steps) < 24
    assert "training     after statistics" in steps
    stages = project.run("python", "workflow/stages.py", "braintriage").split()
    assert {"phantom@braintriage", "training@braintriage"} <= set(stages)
    assert "report" not in stages


@pytest.mark.slow
@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)
def test_plots_have_a_group_a_study(project: Workflow, tmp_path: Path) -> None:
    project.run("dvc", "plots", "show", "--out", str(tmp_path))
    with browser() as window:
        window.open(tmp_path / "index.html")
        groups = window.run(
            "return [...document.querySelectorAll('details')].map(group =>"
            " [group.querySelector('summary').textContent, group.querySelectorAll('img').length])"
        )
        assert window.messages() == []
    pictures = list((project.folder / "results/braintriage/figures").iterdir())
    assert groups == [["braintriage", len(pictures)]]
    assert len(pictures) >= 8
