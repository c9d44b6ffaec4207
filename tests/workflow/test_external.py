"""Two hospitals, of which one tests; and sites of one, each of which tests once: raw to report."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from triage.files import read_json, read_rows
from two_hospitals import hospital_a, hospital_b, picture, settings, write
from workflow_copy import ROOT, Workflow

pytestmark = pytest.mark.slow

RESULTS, DATA = "results/lesions", "data/lesions"
SET = f"{DATA}/external/hospital_b"
ARMS = ["small", "normed", "both"]
# What follows from a set that is new or has changed: a job for each network and fold.
OF_A_SET = Counter(
    **dict.fromkeys(("index", "images", "manifest", "exclude_seen", "shift", "external"), 1),
    **{"predict_external_set": 4, "ensemble": 2, "evaluate_external_set": 6},
)
PAGES = Counter(["table", "figures_external_set", "card", "checksums", "report"])


def start(folder: Path, classes: int, **changes: Any) -> Workflow:
    hospital_a(folder / "a", classes=classes)
    hospital_b(folder / "b", classes=classes)
    content = settings(folder, classes)
    content["studies"]["lesions"] |= changes

    def change(old: dict[str, Any]) -> None:
        old.clear()
        old.update(content)

    return Workflow(folder / "copy", change)


def run(workflow: Workflow) -> Counter[str]:
    """The jobs that ran, by rule."""
    printed = workflow.snakemake("--quiet", "host")
    names = re.findall(r"^(?:local)?rule (\S+):$", printed, re.M)
    return Counter(re.sub("^index-.*", "index", name) for name in names if name != "all")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Three classes on two folds, with an ensemble."""
    workflow = start(tmp_path_factory.mktemp("hospitals"), 3, folds=[0, 1])
    run(workflow)
    return workflow


def test_each_stage_of_dvc_makes_all_that_it_owns(made: Workflow) -> None:
    assert made.run("python", str(ROOT / "tests/helpers/stage_targets.py")) == ""


def checkpoints(workflow: Workflow) -> dict[str, bytes]:
    found = (workflow.folder / RESULTS / "training").glob("*/*/checkpoint.pt")
    return {str(path): path.read_bytes() for path in found}


def test_a_set_is_in_table_card_figures_and_report(made: Workflow) -> None:
    folder = made.folder
    rows = read_rows(folder / RESULTS / "external.csv")
    assert [(row["arm"], row["partition"]) for row in rows] == [
        (arm, "hospital_b") for arm in ["zero_rate", *ARMS]
    ]
    assert {row["cases"] for row in rows} == {"24"}
    page = read_json(folder / RESULTS / "metrics/small/fold1-seed1/hospital_b.json")
    assert page["cases"] == 24
    assert page["metrics"]["roc_auc"]["value"] is not None
    # Nothing of the set is in what validation chose, and the study's own pages know none of it.
    assert "hospital_b" not in (folder / RESULTS / "metrics/small/fold1-seed1.json").read_text()
    card = (folder / RESULTS / "card.md").read_text()
    assert "## External validation\n" in card
    assert "2 more left out, which training or validation has seen" in card
    report = (folder / "results/report.html").read_text()
    for words in ("Does it hold at hospital_b?", "images/near.png", "External validation"):
        assert words in report
    assert (folder / RESULTS / "figures/external.svg").exists()


def test_what_was_seen_is_excluded_and_named(made: Workflow) -> None:
    rows = read_rows(made.folder / SET / "groups.csv")
    excluded = {row["case"]: (row["reason"], row["twin"]) for row in rows if row["reason"]}
    assert excluded == {
        "copy": ("the same file", "a0_0"),
        "near": ("the same or nearly the same picture", "a0_1"),
    }
    predicted = read_rows(
        made.folder / RESULTS / "predictions/both/fold0-seed1/external/hospital_b.csv"
    )
    assert not excluded.keys() & {row["case"] for row in predicted}


def test_sets_come_change_and_go_and_train_nothing(made: Workflow) -> None:
    before, raw = checkpoints(made), made.folder.parent
    assert run(made) == Counter()
    assert "up to date" in made.run("dvc", "status")

    def add(content: dict[str, Any]) -> None:
        sets = content["studies"]["lesions"]["external"]
        sets["hospital_c"] = sets["hospital_b"] | {"raw": str(raw / "c")}

    hospital_b(raw / "c", each=6, classes=3)
    made.change(add)
    assert run(made) == OF_A_SET + PAGES

    write(raw / "b", "b0_1.png", picture(4242, 0, 40))
    with open(made.folder / DATA / "withdrawn.csv", "a") as stream:
        stream.write("b0_2,2026-01-31,asked to be left out\n")
    ran = run(made)
    assert ran.keys() >= OF_A_SET.keys()
    assert not ran.keys() & {"train", "predict", "evaluate", "statistics"}
    assert "b0_2" not in {row["case"] for row in read_rows(made.folder / SET / "part.csv")}

    made.change(lambda content: content["studies"]["lesions"].pop("external"))
    assert run(made) == Counter(["external", "table", "card", "checksums", "report"])
    assert read_rows(made.folder / RESULTS / "external.csv") == []
    assert checkpoints(made) == before


def test_each_site_is_left_out_once(tmp_path: Path) -> None:
    workflow = start(tmp_path, 2, folds=[0, 1, 2], external={}, ensembles={})

    def change(content: dict[str, Any]) -> None:
        study = content["studies"]["lesions"]
        study["split"] = {"k": 3, "leave_out": "site"}
        del study["training"]["arms"]["normed"]

    workflow.change(change)
    run(workflow)
    sites = {}
    for fold in range(3):
        page = read_json(workflow.folder / RESULTS / f"metrics/small/fold{fold}-seed1.json")
        sites[page["left_out"]] = page["partitions"]["test"]["cases"]
    assert sites == {"site north": 12, "site south": 10, "site west": 10}
    report = (workflow.folder / "results/report.html").read_text()
    assert report.count("left out: site north") == 1
    assert "Arms on what was left out" in report
    assert "each site in turn" in (workflow.folder / RESULTS / "card.md").read_text()
    assert "up to date" in workflow.run("dvc", "status")
