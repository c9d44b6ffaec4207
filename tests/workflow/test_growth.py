"""A study that grows: what is touched is made anew, and nothing else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from triage.files import read_rows
from workflow_copy import Workflow

pytestmark = pytest.mark.slow

CHECKPOINT = "results/pneumonia/training/small/fold0-seed1/checkpoint.pt"
# Whatever else is made anew follows from these.
DATA = {"index_2", "manifest", "groups", "split"}
AFTER = {"predict", "evaluate"}


def write_picture(path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    small = random.integers(0, 200, (6, 6), np.uint8)
    picture = np.asarray(Image.fromarray(small).resize((32, 32))).copy()
    picture[8:16, 8:16] += 50 * (path.parent.name == "PNEUMONIA")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def settings(raw: Path) -> Any:
    def change(content: dict[str, Any]) -> None:
        study = content["studies"]["pneumonia"]
        study |= {"raw": str(raw), "images": {"mode": "grey", "size": 32, "shards": 2}}
        study["split"] = {"k": 3, "near_duplicate_bits": 0}
        recipe = study["training"]["recipe"] | {"epochs": 1, "batch_size": 8}
        network = {"architecture": "lesion_cnn", "options": {"size": 32}}
        study["training"] = {"recipe": recipe, "arms": {"small": {"model": network}}}
        content |= {"studies": {"pneumonia": study}, "phantoms": {}, "pretrained": {}}
        content["defaults"]["evaluation"] = {"replicates": 100}

    return change


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    folder = tmp_path_factory.mktemp("growth")
    raw = folder / "raw/chest_xray"
    for part, count in (("train", 18), ("test", 8)):
        for label in ("NORMAL", "PNEUMONIA"):
            for i in range(count):
                seed = i + 100 * (part == "test") + 1000 * (label == "NORMAL")
                write_picture(raw / part / label / f"person{seed}_a_{seed}.png", seed)
    workflow = Workflow(folder / "copy", settings(raw.parent))
    run(workflow)
    return workflow


@pytest.fixture
def project(made: Workflow, tmp_path: Path) -> Workflow:
    """A copy of the finished study, raw data and all, that a test may change."""
    shutil.copytree(made.folder.parent, tmp_path / "all", symlinks=True)
    copy = Workflow.at(tmp_path / "all/copy")
    copy.change(lambda content: content["studies"]["pneumonia"].update(raw=str(raw_of(copy))))
    run(copy)
    return copy


def raw_of(workflow: Workflow) -> Path:
    return workflow.folder.parent / "raw"


def run(workflow: Workflow) -> list[str]:
    """The rules of the jobs that ran."""
    printed = workflow.snakemake("pneumonia_metrics")
    found = re.findall(r"^(?:local)?rule (\w+):$", printed, re.MULTILINE)
    return [name for name in found if name != "pneumonia_metrics"]


def case_in(workflow: Workflow, part: str) -> str:
    return read_rows(workflow.folder / f"data/pneumonia/parts/{part}/fold0.csv")[0]["case"]


def file_of(workflow: Workflow, case: str) -> Path:
    return next(raw_of(workflow).rglob(f"{case}.png"))


def assert_only_test_part_followed(workflow: Workflow, ran: list[str], before: bytes) -> None:
    assert set(ran) == DATA | AFTER | {"images"}
    assert ran.count("images") == 1
    assert (workflow.folder / CHECKPOINT).read_bytes() == before
    assert run(workflow) == []
    assert "training" not in workflow.run("dvc", "status", "training@pneumonia", "--json")


def test_a_withdrawn_test_case_trains_nothing(project: Workflow) -> None:
    before = (project.folder / CHECKPOINT).read_bytes()
    case = case_in(project, "test")
    with open(project.folder / "data/pneumonia/withdrawn.csv", "a") as stream:
        stream.write(f"{case},2026-01-31,asked to be left out\n")
    assert_only_test_part_followed(project, run(project), before)
    assert case not in (project.folder / "data/pneumonia/parts/test/fold0.csv").read_text()


def test_an_added_test_case_trains_nothing(project: Workflow) -> None:
    before = (project.folder / CHECKPOINT).read_bytes()
    write_picture(raw_of(project) / "chest_xray/test/NORMAL/person777_new.png", 777)
    assert_only_test_part_followed(project, run(project), before)


def test_a_relabelled_test_case_trains_nothing(project: Workflow) -> None:
    before = (project.folder / CHECKPOINT).read_bytes()
    file = file_of(project, case_in(project, "test"))
    other = {"NORMAL": "PNEUMONIA", "PNEUMONIA": "NORMAL"}[file.parent.name]
    file.rename(file.parents[1] / other / file.name)
    assert_only_test_part_followed(project, run(project), before)


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_changed_picture_of_training_or_validation_trains(project: Workflow, part: str) -> None:
    write_picture(file_of(project, case_in(project, part)), 7)
    ran = run(project)
    statistics = {"statistics"} if part == "train" else set()
    assert set(ran) == DATA | AFTER | {"images", "train"} | statistics
    assert ran.count("images") == 1


def test_an_added_training_case_moves_no_other(project: Workflow) -> None:
    def folds() -> dict[str, str]:
        return {
            row["case"]: row["fold"]
            for row in read_rows(project.folder / "data/pneumonia/split/fold0.csv")
        }

    before = folds()
    write_picture(raw_of(project) / "chest_xray/train/NORMAL/person778_new.png", 778)
    assert run(project).count("images") == 1
    assert before.items() < folds().items()
