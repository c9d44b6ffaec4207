"""The studies of single pictures whole, through Snakemake: from phantoms to table and report."""

import csv
import os
import time

import pytest
import torch

from triage.models import FLOORS
from workflow_copy import ROOT, Workflow, only

STUDIES = ("xray_heads", "xray_findings", "pneumonia", "mhist", "melanoma")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Workflow:
    """The workflow after a whole run of all studies but the first."""
    workflow = Workflow(tmp_path_factory.mktemp("pictures"), only(*STUDIES))
    workflow.snakemake()
    return workflow


def rows(workflow: Workflow, path: str) -> list[dict[str, str]]:
    with open(workflow.folder / path, newline="") as stream:
        return list(csv.DictReader(stream))


def table(workflow: Workflow, study: str) -> dict[str, dict[str, str]]:
    return {row["arm"]: row for row in rows(workflow, f"results/{study}/table.csv")}


def test_nothing_is_left_to_do(done):
    assert done.planned() == set()
    assert "up to date" in done.run("dvc", "status")
    assert done.run("python", str(ROOT / "tests/helpers/stage_targets.py")) == ""


@pytest.mark.parametrize("study", STUDIES)
def test_a_table_has_every_arm_the_zero_rate_and_a_winner(done, study):
    arms = table(done, study)
    run = [arm for arm in arms.values() if arm["runs"] not in ("", "0")]
    assert run[0]["arm"] == "zero_rate"
    folders = {path.name for path in (done.folder / f"results/{study}/predictions").iterdir()}
    assert {arm["arm"] for arm in run[1:]} == folders
    assert sum(arm["winner"] == "1" for arm in run) == 1
    assert all(0 <= float(arm["roc_auc"]) <= 1 for arm in run)


@pytest.mark.parametrize("study", STUDIES)
def test_arms_without_a_network_stand_beside_the_zero_rate(done, study):
    arms = list(table(done, study).values())
    floor = arms[1]
    assert floor["arm"] in FLOORS
    assert floor["floor"] == "1"
    assert 0 <= float(floor["roc_auc_low"]) <= float(floor["roc_auc_high"]) <= 1
    networks = [arm for arm in arms[2:] if arm["runs"] not in ("", "0")]
    assert {arm["floor"] for arm in networks} == {"0"}
    if study != "xray_findings":  # of a class without cases there is nothing to compare
        assert {arm["ahead"] for arm in networks} <= {"0", "1"}
    page = (done.folder / "results" / "report.html").read_text()
    assert "Is it ahead of what takes no network?" in page


@pytest.mark.parametrize("study", ["xray_heads", "pneumonia", "mhist", "melanoma"])
def test_published_values_stand_beside_ours_with_their_data(done, study):
    told = [arm for arm in table(done, study).values() if arm["published_value"]]
    assert told
    for arm in told:
        assert 0 < float(arm["published_value"]) <= 1
        assert arm["published_data"]
        assert arm["published_source"]
        assert (arm["data"] == "") == (arm["runs"] == "0")


def test_the_table_says_what_an_arm_starts_from(done):
    arms = table(done, "mhist")
    assert arms["resnet18"]["initialisation"] == "random"
    assert arms["resnet18_pretrained"]["initialisation"] == "pretext"
    assert arms["ensemble"]["initialisation"] == "pretext, random"
    assert arms["fcnn"]["seeds"] == "3"
    points = [arm for arm in table(done, "xray_heads").values() if arm["search"] == "lstm_search"]
    assert len(points) == 4


def test_pretrained_weights_are_where_training_begins(done):
    weights = torch.load(done.folder / "data/pretrained/resnet18_pretext.pt", weights_only=True)
    arms = done.folder / "results/mhist/training"
    name = "backbone.layer1.0.conv1.weight"
    states = {
        arm: torch.load(arms / arm / "fold0-seed1/checkpoint.pt", weights_only=True)["weights"]
        for arm in ("resnet18", "resnet18_pretrained")
    }
    distance = {arm: float((state[name] - weights[name]).norm()) for arm, state in states.items()}
    assert distance["resnet18_pretrained"] < 0.2 * distance["resnet18"]


def test_several_findings_are_submitted_a_column_each(done):
    submitted = rows(done, "results/xray_findings/submission.csv")
    names = list(submitted[0])
    assert names[:2] == ["case", "No Finding"]
    assert len(names) == 16
    command = ["python", "scripts/check_submission.py", "results/xray_findings/submission.csv"]
    split = ["--split", "data/xray_findings/split/fold0.csv"]
    printed = done.run(*command, *split, "--task", "multilabel", "--classes", *names[1:])
    assert f"is valid: {len(submitted)} cases" in printed


def test_groups_stay_together_in_every_study(done):
    for study in STUDIES:
        parts: dict[str, set[str]] = {}
        for row in rows(done, f"data/{study}/split/fold0.csv"):
            if row["partition"] in ("train", "val", "test"):
                parts.setdefault(row["group"], set()).add(row["partition"])
        assert all(len(each) == 1 for each in parts.values()), study


def test_a_network_learns_cases_by_heart_or_says_that_it_could_not(done):
    goal = {"cases": 12, "epochs": 60, "accuracy": 0.9}
    done.change(lambda content: content["defaults"].update(memorise=goal))
    path = "results/pneumonia/memorise/cnn5/fold0-seed1.json"
    done.snakemake(path)
    assert (done.folder / path).exists()
    goal |= {"epochs": 1, "accuracy": 1.0}
    done.change(lambda content: content["defaults"].update(memorise=goal))
    printed = done.snakemake(path, fails=True)
    assert "by heart, not 1" in printed
    assert "Traceback" not in printed


def test_a_withdrawn_case_is_gone_and_what_had_seen_it_is_named(done):
    split = rows(done, "data/pneumonia/split/fold0.csv")
    case = next(row["case"] for row in split if row["partition"] == "train")
    (done.folder / "data/pneumonia/withdrawn.csv").write_text(
        f"\ufeffcase,date,reason\n {case} ,2026-01-31,asked to be left out\n"
    )
    ahead = time.time() + 3600  # as by a clock that is fast
    os.utime(done.folder / "data/pneumonia/withdrawn.csv", (ahead, ahead))
    planned = done.run("snakemake", "-n")
    assert "xray_heads" not in planned
    assert "--rerun-triggers" not in planned
    assert {"index", "images", "train", "evaluate", "report"} <= done.planned()
    before = {path: path.read_bytes() for path in done.folder.glob("results/mhist/**/*.csv")}
    done.snakemake()
    holding = [
        path.relative_to(done.folder).as_posix()
        for folder in ("data/pneumonia", "results/pneumonia")
        for path in (done.folder / folder).rglob("*.csv")
        if case in path.read_text()
    ]
    # The raw file is the user's to delete.
    listings = {"inventory.csv", "phantom.csv", "withdrawn.csv", "consent.csv"}
    assert {path.rpartition("/")[2] for path in holding} <= listings
    seen = rows(done, "data/pneumonia/consent.csv")
    floors = {"logistic_regression"}
    assert {row["checkpoint"].split("/")[3] for row in seen} == {"cnn5", "resnet18"} | floors
    assert {(row["case"], row["partition"]) for row in seen} == {(case, "train")}
    for row in seen:
        path = done.folder / row["checkpoint"]
        if path.parts[-3] in floors:
            continue  # no file of torch
        cases = torch.load(path, weights_only=True)["cases"]
        assert case not in cases["train"] + cases["val"]
    assert seen[0]["md5"] in (done.folder / "results/report.html").read_text()
    assert all(path.read_bytes() == content for path, content in before.items())
    assert done.planned() == set()
    assert "up to date" in done.run("dvc", "status")
