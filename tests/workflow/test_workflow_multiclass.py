"""Classes that exclude each other have all that two classes have: a study of volumes, whole."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from own_studies import volume
from workflow_copy import Workflow

pytestmark = pytest.mark.slow

CLASSES = ["none", "mild", "severe"]
CASES = 45  # of which every fifteenth has no label
STUDY = {
    "task": "multiclass",
    "classes": CLASSES,
    "index": {
        "reader": "table",
        "table": "grades.csv",
        "columns": {"file": "scan", "label": "grade", "group": "patient"},
        "attributes": ["sex", "site"],
        "min_slices": 4,
    },
    "images": {"mode": "volume", "size": None},
    "split": {"k": 4, "test": "fold"},
    "evaluation": {"ordinal": True, "replicates": 100},
    "submission": {"arm": "lstm"},
    "memorise": {"cases": 12, "epochs": 20, "accuracy": 0.9},
    "ensembles": {"both": ["resnet18", "lstm"]},
    "chain": ["resnet18", "weighted"],
    "training": {
        "recipe": {
            "epochs": 4,
            "batch_size": 8,
            "optimizer": {"lr": 1e-3},
            "select": {"by": "loss"},
        },
        "arms": {
            "resnet18": {"model": {"architecture": "resnet18"}},
            "weighted": {
                "extends": "resnet18",
                "loss": {"class_weights": "inverse", "label_smoothing": 0.1},
                "balance": {"method": "oversample", "augment": "copies"},
                "augment": {"flip": 0.5},
            },
        },
        "sequence": {
            "recipe": {"epochs": 4},
            "arms": {
                "lstm": {
                    "from": "resnet18",
                    "sequence": {"hidden": 16, "layers": 1, "pooling": "final", "frozen": True},
                }
            },
        },
        "finetuning": {"recipe": {"epochs": 1}, "arms": {"finetuned": {"from": "lstm"}}},
    },
}


def write_scans(raw: Path) -> None:
    """Volumes whose middle is the brighter the higher the grade."""
    rows = ["scan,patient,grade,sex,site"]
    for i in range(CASES):
        volume(raw / f"scans/{i:03d}.nii.gz", i, i % 3 / 2)
        grade = "" if i % 15 == 14 else CLASSES[i % 3]
        rows.append(f"scans/{i:03d}.nii.gz,P{i},{grade},{'MF'[i // 3 % 2]},{'AB'[i // 6 % 2]}")
    (raw / "grades.csv").write_text("\n".join(rows))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    raw = tmp_path_factory.mktemp("raw")
    write_scans(raw)

    def change(content: dict[str, Any]) -> None:
        content["studies"] = {"grades": {"raw": str(raw), **STUDY}}
        content |= {"phantoms": {}, "pretrained": {}}

    copy = Workflow(tmp_path_factory.mktemp("multiclass") / "clone", change)
    copy.snakemake("all", "grades_memorise", "grades_export")
    return copy


def rows(done: Workflow, path: str) -> list[dict[str, str]]:
    with open(done.folder / path, encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_every_kind_of_arm_is_measured_and_compared(done: Workflow) -> None:
    table = {row["arm"]: row for row in rows(done, "results/grades/table.csv")}
    assert {"zero_rate", "resnet18", "weighted", "lstm", "finetuned", "both"} <= table.keys()
    for arm in ("resnet18", "lstm", "both"):
        assert float(table[arm]["roc_auc"]) > 0.7
        assert float(table[arm]["kappa_quadratic_low"]) <= float(table[arm]["kappa_quadratic"])
    compared = rows(done, "results/grades/comparison.csv")
    assert {"roc_auc", "kappa_quadratic", "balanced_accuracy"} <= {
        row["metric"] for row in compared
    }
    assert all(row["p_holm"] for row in compared if row["metric"] == "roc_auc")
    content = json.loads((done.folder / "results/grades/metrics/lstm/fold0-seed1.json").read_text())
    fitted = {choices["calibration"]["temperature"] for choices in content["choices"].values()}
    assert len(fitted) == 1, "one temperature for all classes"
    matrix = content["partitions"]["test"]["operating_points"]["argmax"]["confusion"]
    assert [len(row) for row in matrix] == [3, 3, 3]


def test_every_picture_is_drawn(done: Workflow) -> None:
    results = done.folder / "results/grades"
    slices = (results / "figures/slices.svg").read_text()
    assert all(f"<!-- resnet18, {name} -->" in slices or name in slices for name in CLASSES)
    for name in ("roc", "confusion", "reliability", "scores", "chain", "balancing"):
        assert (results / f"figures/{name}.svg").stat().st_size > 5_000, name
    for name in ("figures/mistakes.png", "explain/attention.png", "explain/augmentation.png"):
        assert (results / name).exists()


def test_the_card_tells_of_grades(done: Workflow) -> None:
    card = (done.folder / "results/grades/card.md").read_text()
    for words in (
        "quadratic kappa",
        "women and girls",
        "site: A",
        "probability of none, mild, sev",
    ):
        assert words in card
    assert "| 44 |" in (done.folder / "results/grades/checklist.md").read_text()


def test_submission_and_export_have_every_class(done: Workflow) -> None:
    submitted = rows(done, "results/grades/submission.csv")
    assert len(submitted) == 3
    for row in submitted:
        chances = {name: float(row[name]) for name in CLASSES}
        assert sum(chances.values()) == pytest.approx(1, abs=1e-4)
        assert row["class"] == max(chances, key=chances.__getitem__)
    described = json.loads((done.folder / "results/grades/model.json").read_text())
    assert [name for name in CLASSES if name in json.dumps(described)] == CLASSES
    done.run(
        *("python", "scripts/check_submission.py", "results/grades/submission.csv"),
        *("--split", "data/grades/split/fold0.csv", "--task", "multiclass"),
        *("--classes", *CLASSES),
    )


def test_a_network_learnt_by_heart(done: Workflow) -> None:
    (found,) = (done.folder / "results/grades/memorise/resnet18").glob("*.json")
    assert json.loads(found.read_text())["accuracy"] >= 0.9
