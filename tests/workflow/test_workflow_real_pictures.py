"""Every set of real pictures through the workflow to its table, with short training."""

import copy
import csv
from pathlib import Path

import pytest
import yaml

from scans import real_data
from workflow_copy import ROOT, Workflow

SETTINGS = yaml.safe_load((ROOT / "presets/public_data.yaml").read_text())
SETS = {
    name: (real_data(study["raw"]), study["classes"])
    for name, study in SETTINGS["studies"].items()
    if real_data(study["raw"]).is_dir() and not name.startswith("full_")
}
NETWORK = {"architecture": "lesion_cnn", "options": {"size": 48, "norm": "batch"}}

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(not SETS, reason=f"no real pictures in {real_data('')}"),
]


def short(content: dict) -> None:
    """The benchmark's settings, with one fold and one epoch of a small network."""
    content.clear()
    content.update(copy.deepcopy(SETTINGS) | {"pretrained": {}})
    content["recipe"] |= {"epochs": 1, "model": NETWORK}
    content["defaults"] |= {"folds": [0], "evaluation": {"replicates": 100}}
    content["studies"] = {name: content["studies"][name] for name in SETS}
    for name, study in content["studies"].items():
        study |= {"raw": str(SETS[name][0].resolve()), "ensembles": {}}
        study["images"] |= {"size": 48}
        study["training"]["arms"] = {"lesion_cnn": {}}
    # The same images, with all their findings.
    findings = {"classes": FINDINGS, "task": "multilabel"}
    content["studies"]["findings"] = content["studies"]["nih_64"] | findings


FINDINGS = [
    "No Finding", "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema",
    "Fibrosis", "Hernia", "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia",
    "Pneumothorax",
]  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Workflow:
    workflow = Workflow(tmp_path_factory.mktemp("real"), short)
    workflow.snakemake(*(f"results/{name}/submission.csv" for name in (*SETS, "findings")))
    return workflow


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("name", [*SETS, "findings"])
def test_a_set_goes_to_its_table(done, name):
    table = rows(done.folder / f"results/{name}/table.csv")
    assert [row["arm"] for row in table if row["runs"] != "0"] == ["zero_rate", "lesion_cnn"]
    split = rows(done.folder / f"data/{name}/split/fold0.csv")
    parts = {part: {row["group"] for row in split if row["partition"] == part}
             for part in ("train", "val", "test")}  # fmt: skip
    assert all(parts.values())
    assert not parts["train"] & (parts["val"] | parts["test"])
    assert not parts["val"] & parts["test"]
    tested = {row["case"] for row in split if row["partition"] == "test"}
    assert int(table[0]["cases"]) == len(tested)
    submitted = {row["case"] for row in rows(done.folder / f"results/{name}/submission.csv")}
    assert submitted == tested
