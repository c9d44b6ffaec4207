"""The same rules on real scans: from the raw folder to a valid submission."""

from pathlib import Path

import numpy as np
import pytest

from scans import real_data
from workflow_copy import Workflow, only

SCANS = real_data("braintriage")

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not SCANS.is_dir(), reason=f"no real scans in {SCANS}"),
]


def short_training_on(raw: Path):
    def change(content):
        only("braintriage")(content)
        content["phantoms"] = {}
        study = content["studies"]["braintriage"]
        study["raw"] = str(raw.resolve())
        study["index"] |= {"min_slices": 32, "group": r"^(.+)-S\d+$"}
        study["split"]["k"] = 3
        study["training"]["recipe"]["input"] = {"slices": [12, 16], "crop": 192, "resize": 64}

    return change


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Workflow:
    workflow = Workflow(tmp_path_factory.mktemp("real"), short_training_on(SCANS))
    workflow.snakemake()
    return workflow


def test_real_scans_go_to_a_valid_submission(done):
    printed = done.run(
        "python",
        "scripts/check_submission.py",
        "results/braintriage/submission.csv",
        "--split",
        "data/braintriage/split/fold0.csv",
    )
    assert "is valid: 2 cases" in printed
    assert done.planned() == set()


def test_two_visits_of_a_patient_stay_together(done):
    split = (done.folder / "data/braintriage/split/fold0.csv").read_text().splitlines()
    parts = {row.split(",")[0]: row.split(",")[-1] for row in split}
    assert parts["MS-L01-S1"] == parts["MS-L01-S2"]


def test_shards_are_integers_of_the_scans(done):
    array = np.load(done.folder / "data/braintriage/images/shard-0.npy", mmap_mode="r")
    assert array.dtype == np.int16
    assert array.shape[1:] == (3, 256, 256)


def test_an_added_scan_is_noticed(tmp_path):
    raw = tmp_path / "scans"
    for patient in sorted(SCANS.glob("train/full/*/*")) + sorted(SCANS.glob("final_test_set/*")):
        link = raw / patient.relative_to(SCANS)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(patient)
    added = next(iter(raw.glob("train/full/normal/*")))
    target = added.resolve()
    added.unlink()
    workflow = Workflow(tmp_path / "copy", short_training_on(raw))
    workflow.snakemake("data/braintriage/manifest.csv")
    assert workflow.planned("data/braintriage/manifest.csv") == set()
    added.symlink_to(target)
    assert "index" in workflow.planned("data/braintriage/manifest.csv")
