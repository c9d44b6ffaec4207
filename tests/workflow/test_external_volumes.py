"""An external set of volumes with several findings each, made and changed as DVC's stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from own_studies import volume
from triage.files import read_json, read_rows
from workflow_copy import Workflow

CLASSES = ["effusion", "mass"]
RESULTS = "results/scans"


def hospital(raw: Path, seed: int, count: int) -> None:
    """Volumes of which the middle shows the effusion, with a table."""
    rows = ["scan,effusion,mass"]
    for i in range(count):
        volume(raw / f"{i:03d}.nii.gz", seed + i, i % 2)
        rows.append(f"{i:03d}.nii.gz,{i % 2},{['', 0, 1, -1][i // 2 % 4]}")
    (raw / "findings.csv").write_text("\n".join(rows))


@pytest.mark.slow
def test_a_set_of_volumes_with_several_findings(tmp_path: Path) -> None:
    hospital(tmp_path / "a", 0, 24)
    hospital(tmp_path / "b", 500, 12)
    study = {
        "raw": str(tmp_path / "a"),
        "task": "multilabel",
        "classes": CLASSES,
        "index": {
            "reader": "table",
            "table": "findings.csv",
            "columns": {"file": "scan", "label": CLASSES},
            "min_slices": 4,
        },
        "images": {"mode": "volume", "size": None},
        "split": {"k": 3, "test": "fold"},
        "evaluation": {"replicates": 100},
        "training": {
            "recipe": {
                "epochs": 1,
                "input": {"resize": 32},
                "model": {"architecture": "lesion_cnn", "options": {"size": 32}},
            },
            "arms": {"small": {}},
        },
        "external": {"b": {"raw": str(tmp_path / "b")}},
    }

    def change(content: dict[str, Any]) -> None:
        content |= {"phantoms": {}, "pretrained": {}, "studies": {"scans": study}}

    workflow = Workflow(tmp_path / "copy", change)
    workflow.snakemake(f"{RESULTS}/card.md", f"{RESULTS}/figures/external.svg")
    page = workflow.folder / RESULTS / "metrics/small/fold0-seed1/b.json"
    assert read_json(page)["cases"] == 12
    assert set(read_json(page)["classes"]) == set(CLASSES)
    assert "## External validation\n" in (workflow.folder / RESULTS / "card.md").read_text()

    hospital(tmp_path / "b", 500, 14)
    workflow.snakemake("scans_external")  # which looks at folders of sets, as DVC does not
    workflow.run("dvc", "repro", "table@scans")
    assert read_json(page)["cases"] == 14
    assert {row["cases"] for row in read_rows(workflow.folder / RESULTS / "external.csv")} == {"14"}
    assert workflow.planned(f"{RESULTS}/table.csv") == set()
