"""The number of shards: by size when a study is first run, then kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from triage_workflow import shards
from triage_workflow.params import Params

from triage.data import inventory
from triage.errors import UserError
from workflow_copy import DEMO

KEPT = Path("data/own/shards.txt")
SET = "own/external/other"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with raw pictures of 50 x 40 pixels."""
    (tmp_path / "raw").mkdir()
    Image.new("L", (50, 40)).save(tmp_path / "raw/0.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shards, "_SHARD", 20e3)  # bytes
    return tmp_path


def params(external: Any = None, **images: Any) -> Params:
    content = yaml.safe_load(DEMO.read_text())
    study = content["studies"]["pneumonia"] | {
        "raw": "raw",
        "external": external or {},
        "images": {"mode": "grey", "size": None} | images,
    }
    study["training"]["arms"] = {"own": {"model": {"architecture": "resnet18"}}}
    content |= {"studies": {"own": study}, "phantoms": {}, "pretrained": {}}
    return Params(content)


def grow(folder: Path, count: int) -> None:
    for i in range(count):
        target = folder / f"raw/{i}.png"
        if not target.exists():
            target.hardlink_to(folder / "raw/0.png")
    inventory.write(folder / "raw", folder / "data/own/inventory.csv")


def decided(settings: Params) -> int:
    shards.provide(settings)
    return shards.count(settings, "own")


def test_a_number_by_size_is_kept_when_the_study_grows(project: Path) -> None:
    grow(project, 30)
    assert decided(params()) == 3  # 30 x 2,000 bytes
    assert KEPT.read_text() == "3\n"
    grow(project, 100)
    assert decided(params()) == 3
    assert decided(params(shards=7)) == 7
    assert KEPT.read_text() == "3\n"


def test_that_of_an_external_set_is_kept_where_git_keeps_files(project: Path) -> None:
    grow(project, 30)
    inventory.write(project / "raw", project / f"data/{SET}/inventory.csv")
    settings = params({"other": {"raw": "raw"}})
    shards.provide(settings)
    assert shards.count(settings, SET) == 3
    assert {str(path.relative_to(project)) for path in project.rglob("shards*.txt")} == {
        str(KEPT),
        "data/own/shards-other.txt",
    }


def test_the_stored_size_counts_and_not_that_of_the_files(project: Path) -> None:
    grow(project, 10)
    assert decided(params(size=100, mode="rgb")) == 15  # 10 x 100 x 100 x 3 bytes


def test_nothing_is_decided_without_raw_files_or_for_phantoms(project: Path) -> None:
    assert decided(params()) == 1  # there is no inventory yet
    grow(project, 3)
    (project / "raw").rename(project / "away")
    assert decided(params()) == 1
    demo = Params.read(DEMO)
    shards.provide(demo)
    assert shards.count(demo, "pneumonia") == 1
    assert not list(project.rglob("shards.txt"))


@pytest.mark.parametrize("text", ["", "0", "3.5", "many", "<<<<<<< HEAD\n2", "99999"])
def test_a_damaged_number_is_refused_in_words(project: Path, text: str) -> None:
    KEPT.parent.mkdir(parents=True)
    KEPT.write_text(text)
    with pytest.raises(UserError, match="is no number of shards"):
        decided(params())
    assert decided(params(shards=2)) == 2
