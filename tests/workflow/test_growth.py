"""A study that grows: what is touched is made anew, and nothing else.

Two runs of four folds: run 0 validates on fold 0 and tests on fold 1, run 1 on folds 1 and 2. So a
case of fold 0 is in validation and training, one of fold 1 in test and validation, one of fold 2 in
training and test, and one of fold 3 in training of both.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from triage.files import read_rows
from workflow_copy import Workflow

pytestmark = pytest.mark.slow

RUNS = (0, 1)
TARGETS = ("own_metrics", "results/own/table.csv", "results/own/submission.csv")
COLUMNS = ["image", "label", "patient"]
# What a run makes anew where a case of one of its parts is touched.
JOBS_OF = {
    "train": {"statistics", "train", "predict", "evaluate"},
    "val": {"train", "predict", "evaluate"},
    "test": {"predict", "evaluate"},
    "unlabelled": {"predict"},
    "excluded": set(),
}
STAGE_OF = {"train": "training", "predict": "predictions", "evaluate": "metrics"}


class Study:
    """A workflow with pictures and a table of its own, and what a test does to them."""

    def __init__(self, folder: Path) -> None:
        self.raw = folder / "raw"
        self.rows: list[dict[str, str]] = []
        self.seeds = iter(range(10_000))
        for i in range(28):
            self.add(("sick", "well", "sick", "well", "sick", "well", "")[i % 7], f"p{i}")
        for row in [row for row in self.rows if not row["label"]][:3]:
            self.add("well", row["patient"])  # left out, as its patient is in another part
        self.workflow = Workflow(folder / "copy", self._settings)
        self.run()

    def _settings(self, content: dict[str, Any]) -> None:
        network = {"architecture": "lesion_cnn", "options": {"size": 32}}
        study = {
            "raw": str(self.raw),
            "classes": ["well", "sick"],
            "folds": list(RUNS),
            "index": {
                "reader": "table",
                "table": "table.csv",
                "columns": {"file": "image", "label": "label", "group": "patient"},
            },
            "images": {"mode": "grey", "size": 32, "shards": 3},
            "split": {"k": 4, "test": "fold"},
            "training": {
                "recipe": {"epochs": 1, "batch_size": 8},
                "arms": {"small": {"model": network}},
            },
        }
        content |= {"studies": {"own": study}, "phantoms": {}, "pretrained": {}}
        content["defaults"] = {"evaluation": {"replicates": 100}}

    def add(self, label: str, patient: str) -> str:
        """A new picture; its case."""
        case = f"case{len(self.rows):03d}"
        self.rows.append({"image": f"{case}.png", "label": label, "patient": patient})
        self.paint(case)
        self._write()
        return case

    def paint(self, case: str) -> None:
        """Another picture for a case."""
        small = np.random.default_rng(next(self.seeds)).integers(0, 200, (6, 6), np.uint8)
        path = self.raw / "images" / f"{case}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(small).resize((32, 32)).save(path)

    def row(self, case: str) -> dict[str, str]:
        return next(row for row in self.rows if row["image"] == f"{case}.png")

    def relabel(self, case: str) -> None:
        row = self.row(case)
        row["label"] = "sick" if row["label"] == "well" else "well"
        self._write()

    def withdraw(self, case: str) -> None:
        with open(self.workflow.folder / "data/own/withdrawn.csv", "a") as stream:
            stream.write(f"{case},2026-01-31,asked to be left out\n")

    def _write(self) -> None:
        with open(self.raw / "table.csv", "w", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)

    def run(self) -> tuple[list[str], set[str]]:
        """The jobs that ran, with the folds of their runs; and the stages that DVC was told of."""
        before = self._stages()
        self.workflow.snakemake(*TARGETS)
        logs = (self.workflow.folder / ".snakemake/log").iterdir()
        printed = max(logs, key=lambda path: path.stat().st_mtime_ns).read_text()
        started = re.findall(r"^(?:local)?rule (\S+):((?:\n    .*)*)", printed, re.MULTILINE)
        after = self._stages()
        told = {name.partition("@")[0] for name in after if after[name] != before.get(name)}
        return [job for name, about in started if (job := _job(name, about))], told

    def _stages(self) -> dict[str, Any]:
        lock = self.workflow.folder / "dvc.lock"
        return dict(yaml.safe_load(lock.read_text())["stages"]) if lock.exists() else {}

    def groups(self) -> dict[str, dict[str, str]]:
        """The row of each case in the table of groups."""
        return {row["case"]: row for row in self._table("groups.csv")}

    def roles(self, case: str) -> list[str]:
        """The part of each run that a case is in; empty where it is in none."""
        tables = [self._table(f"split/fold{run}.csv") for run in RUNS]
        parts = [{row["case"]: row["partition"] for row in table} for table in tables]
        return [part.get(case, "excluded") for part in parts]

    def taken_over(self, run: int) -> set[str]:
        """The parts whose predictions the last job of a run left as they were."""
        log = self.workflow.folder / f"logs/own/predict/small/fold{run}-seed1.log"
        return set(re.findall(r"(\w+): \d+ cases, as before", log.read_text()))

    def _table(self, name: str) -> list[dict[str, str]]:
        return read_rows(self.workflow.folder / "data/own" / name)

    def cases_in(self, place: str) -> list[str]:
        """The cases of a fold, or of a part of all runs."""
        found = self.groups().values()
        if place.startswith("fold"):
            return [row["case"] for row in found if row["fold"] == place[-1]]
        return [row["case"] for row in found if row["part"] == place]


def _job(rule: str, about: str) -> str:
    fold = re.search(r"(?:fold=|fold)(\d)", about) if rule in JOBS_OF["train"] else None
    name = {"index-own": "index"}.get(rule, rule)
    return "" if rule == "own_metrics" else f"{name} {fold[1]}" if fold else name


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study(tmp_path_factory.mktemp("growth"))


def added(study: Study, place: str) -> str:
    if place == "unlabelled":
        return study.add("", "somebody else")
    if place == "excluded":
        return study.add("well", study.row(study.cases_in("unlabelled")[0])["patient"])
    twin = study.row(study.cases_in(place)[0])
    return study.add(twin["label"], twin["patient"])


def changed(study: Study, place: str) -> str:
    case = study.cases_in(place)[-1]
    study.paint(case)
    return case


def relabelled(study: Study, place: str) -> str:
    case = study.cases_in(place)[-1]
    study.relabel(case)
    return case


def withdrawn(study: Study, place: str) -> str:
    case = study.cases_in(place)[-1]
    study.withdraw(case)
    return case


SITUATIONS = {
    added: ("fold 1", "unlabelled", "excluded"),
    changed: ("fold 2", "excluded"),
    relabelled: ("fold 1", "fold 3"),
    withdrawn: ("fold 0", "unlabelled", "excluded"),
}


@pytest.mark.parametrize(
    ("touch", "place"), [(touch, place) for touch in SITUATIONS for place in SITUATIONS[touch]]
)
def test_what_used_a_case_is_made_anew_and_nothing_else(
    study: Study, touch: Callable[[Study, str], str], place: str
) -> None:
    before, roles = study.groups(), {case: study.roles(case) for case in study.groups()}
    case = touch(study, place)
    jobs, stages = study.run()
    of_runs = {
        f"{job} {run}"
        for parts in (roles.get(case, []), study.roles(case))
        for run, part in zip(RUNS, parts, strict=False)
        for job in JOBS_OF[part]
    }
    expected = {"index", "manifest", "groups", "split", *of_runs}
    expected |= {"images"} if touch is not relabelled else set()
    expected |= {"table"} if any(job.startswith("evaluate") for job in of_runs) else set()
    expected |= {"submission"} if any(job.startswith("predict") for job in of_runs) else set()
    assert set(jobs) == expected
    assert jobs.count("images") <= 1
    kinds = {job.split()[0] for job in expected}
    # For DVC, cases are one folder, and so are predictions: nothing is to do in what reads them.
    kinds |= {"images", "external"} | ({"evaluate", "table"} if "predict" in kinds else set())
    assert stages == {STAGE_OF.get(kind, kind) for kind in kinds}
    after = study.groups()
    moved = {
        each for each in before.keys() & after.keys() if before[each]["fold"] != after[each]["fold"]
    }
    assert moved <= {case}


def test_nothing_is_done_twice(study: Study) -> None:
    assert study.run() == ([], set())
