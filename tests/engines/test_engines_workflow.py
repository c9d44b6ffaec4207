"""The whole workflow, shrunken, as users of DVC know it: metrics, plots, experiments, remotes."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from browser import CHROMIUM, DRIVER, MISSING, browser
from workflow_copy import ROOT, Workflow

STUDY = "braintriage"
README = (ROOT / "README.md").read_text(encoding="utf-8")
RATE = f"studies.{STUDY}.training.sequence.recipe.optimizer.lr"
# What a change of the sequence model concerns, in DVC's words.
FOLLOWING = [
    "training",
    "predictions",
    "metrics",
    "table",
    "submission",
    "figures",
    "card",
    "checksums",
]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def committed(done: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A copy of the whole run, committed and pushed."""
    folder = tmp_path_factory.mktemp("committed")
    shutil.copytree(done.folder, folder / "project", symlinks=True)
    workflow = Workflow.at(folder / "project")
    workflow.run("git", "config", "user.name", "A Person")
    workflow.run("git", "config", "user.email", "person@example.org")
    workflow.run("dvc", "remote", "add", "--default", "store", str(folder / "store"))
    workflow.run("git", "add", "--all")
    workflow.run("git", "commit", "--quiet", "--message", "Made")
    workflow.run("dvc", "push", "--quiet")
    return workflow


@pytest.fixture
def project(committed: Workflow, tmp_path: Path) -> Workflow:
    shutil.copytree(committed.folder, tmp_path / "project", symlinks=True)
    return Workflow.at(tmp_path / "project")


def answer(workflow: Workflow, *command: str) -> Any:
    """What DVC says, as JSON, which is the last line of what it prints."""
    return json.loads(workflow.run("dvc", *command, "--json").splitlines()[-1])


def test_metrics_have_a_row_a_study(committed: Workflow) -> None:
    shown = answer(committed, "metrics", "show")[""]["data"]
    assert set(shown) == {f"results/{STUDY}/headline.json"}
    (metrics,) = (each["data"] for each in shown.values())
    with open(committed.folder / f"results/{STUDY}/table.csv", newline="") as stream:
        (row,) = (row for row in csv.DictReader(stream) if row["winner"] == "1")
    assert metrics["arm"] == row["arm"]
    assert metrics["roc_auc"] == pytest.approx(float(row["roc_auc"]), abs=1e-4)
    assert len(metrics) == 3


def test_plots_show_curves_roc_and_confusion(committed: Workflow, tmp_path: Path) -> None:
    committed.run("dvc", "plots", "show", "--out", str(tmp_path))
    page = (tmp_path / "index.html").read_text()
    for name in ("curves", "roc", "confusion"):
        assert re.search(rf"{STUDY}_figures_{name}.svg", page)
    assert "https://" not in page


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)
def test_plots_open_in_a_browser(committed: Workflow, tmp_path: Path) -> None:
    committed.run("dvc", "plots", "show", "--out", str(tmp_path))
    with browser() as window:
        window.open(tmp_path / "index.html")
        widths = window.run("return [...document.images].map(image => image.naturalWidth)")
        assert window.messages() == []
    assert len(widths) >= 3
    assert all(widths)


def test_an_experiment(project: Workflow) -> None:
    printed = project.run("dvc", "exp", "run", "--name", "slower", "-S", f"{RATE}=0.0001")
    ran = re.findall(r"^Running stage '([^']+)'", printed, re.MULTILINE)
    assert sorted(ran) == sorted(["steps", *(f"{step}@{STUDY}" for step in FOLLOWING), "report"])
    assert project.planned() == set()
    assert answer(project, "status") == {}
    differences = answer(project, "params", "diff")["params.yaml"]
    assert differences == {RATE: {"old": 0.001, "new": 0.0001, "diff": pytest.approx(-0.0009)}}
    assert len(project.run("dvc", "metrics", "diff").splitlines()) < 10
    project.run("dvc", "plots", "diff", "HEAD", "workspace")
    documented = re.search(r"^dvc (exp show .*) '(.*)'$", README, re.MULTILINE)
    assert documented
    shown = project.run("dvc", *documented[1].split(), documented[2], "--csv")
    head, *rows = csv.reader(shown.splitlines())
    changed = set(head) - {"Experiment", "rev", "typ", "Created", "parent"}
    metrics = {f"results/{STUDY}/headline.json:{name}" for name in ("roc_auc", "arm")}
    assert RATE in changed
    assert changed <= {RATE, "roc_auc", "balanced_accuracy", "arm", *metrics}
    assert "slower" in {row[0] for row in rows}


def test_one_study_pulled(committed: Workflow, tmp_path: Path) -> None:
    committed.run("git", "clone", "--quiet", str(committed.folder), str(tmp_path / "clone"))
    clone = Workflow.at(tmp_path / "clone")
    stages = clone.run("python", "workflow/stages.py", STUDY).split()
    clone.run("dvc", "pull", "--quiet", *stages)
    assert clone.planned(f"results/{STUDY}/table.csv", f"results/{STUDY}/submission.csv") == set()
    assert set(answer(clone, "status")) == {"report"}
    drawn = clone.run("dvc", "dag", "--dot")
    assert f'"training@{STUDY}" -> "predictions@{STUDY}"' in drawn
