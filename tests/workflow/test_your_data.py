"""The tutorial on own data: each of its commands works as it stands."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import yaml

from triage_workflow.params import Params

from triage.data.readers import IndexSettings
from triage.settings import convert
from two_hospitals import settings
from workflow_copy import Workflow, only

PAGE = Path(__file__).parents[2] / "docs/your-data.md"


def commands() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).splitlines()
    return [line for line in lines if line.startswith(("snakemake", "cp", "python"))]


def shorten(content: dict[str, Any]) -> None:
    content["studies"]["my_lesions"]["training"]["recipe"]["epochs"] = 1


def test_every_command_of_the_tutorial_runs(tmp_path: Path) -> None:
    copy = Workflow(tmp_path / "clone", only("melanoma"))
    written = commands()
    assert len(written) == 6
    for line in written:
        printed = copy.run(*line.split())
        if "new_study.py" in line:
            assert "planned in" in printed
        if "--table" in line:
            assert "task: binary" in printed
            copy.change(shorten)
    with open(copy.folder / "data/my_lesions/counts.csv", encoding="utf-8") as stream:
        uses = {row["use"]: int(row["files"]) for row in csv.DictReader(stream)}
    assert uses == {"used": 80, "beside": 1}
    assert (copy.folder / "results/my_lesions/card.md").exists()


def test_the_settings_of_the_tutorial_are_settings() -> None:
    text = PAGE.read_text(encoding="utf-8")
    own, elsewhere, sites, together = map(
        yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    )
    index = own["index"] | {"classes": ["melanoma", "naevus"]}
    assert convert(IndexSettings, index, "index").columns.group == "patient"
    content = settings(Path("/data"))
    study = content["studies"]["lesions"]
    study |= {"index": own["index"], "classes": index["classes"], **elsewhere}
    found = Params(content).study("lesions/external/hospital_b")["index"]
    assert (found["columns"]["group"], found["columns"]["partition"]) == ("person", None)
    study["index"] |= sites.pop("index")
    assert Params(content | {"studies": {"lesions": study | sites}})
    network = next(iter(study["training"]["arms"]))
    together |= {
        "split": {"test": "source"},
        "ensembles": {"whole": {"arms": [network], "over": "folds"}},
    }
    found = Params(content | {"studies": {"lesions": study | together}})
    assert [len(found.members(run)) for run in found.runs("lesions") if run.arm == "whole"] == [5]
    assert found.arms("lesions")["whole"].members == (network,)
