"""The demo's settings of seven diagnoses on real pictures and their own table."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from scans import real_data
from workflow_copy import Workflow, only

LESIONS = real_data("full") / "ham10000"
PICTURES = 30  # of each diagnosis

pytestmark = [
    pytest.mark.slow,
    pytest.mark.real_data,
    pytest.mark.skipif(not LESIONS.is_dir(), reason=f"no real pictures in {LESIONS}"),
]


def some(raw: Path) -> None:
    """Pairs of neighbouring rows from all over the table, with links to their pictures.

    Neighbours often show one lesion, and were often taken by one device in one light.
    """
    with open(LESIONS / "HAM10000_metadata.csv", encoding="utf-8") as stream:
        header, *lines = stream.read().splitlines()
    rows: dict[str, list[str]] = {}
    for line in lines:
        rows.setdefault(line.split(",")[2], []).append(line)
    kept = [header]
    for own in rows.values():
        starts = [2 * (i * len(own) // PICTURES) for i in range(PICTURES // 2)]
        kept += [line for start in starts for line in own[start : start + 2]]
    (raw / "images").mkdir(parents=True)
    for line in kept[1:]:
        name = line.split(",")[1]
        (raw / f"images/{name}.jpg").symlink_to(LESIONS / f"images/{name}.jpg")
    (raw / "HAM10000_metadata.csv").write_text("\n".join(kept) + "\n")


def test_seven_real_diagnoses_run_by_settings_alone(tmp_path: Path) -> None:
    some(tmp_path / "raw")

    def change(content: dict[str, Any]) -> None:
        only("skin")(content)
        content["phantoms"] = {}
        study = content["studies"]["skin"]
        study["raw"] = str(tmp_path / "raw")
        study["training"]["recipe"]["epochs"] = 10
        study["training"]["arms"] = {"cnn": {}}

    copy = Workflow(tmp_path / "clone", change)
    copy.snakemake()
    with open(copy.folder / "data/skin/manifest.csv", encoding="utf-8") as stream:
        manifest = list(csv.DictReader(stream))
    counted = Counter(row["label"] for row in manifest)
    assert counted == dict.fromkeys(("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"), PICTURES)
    assert len({row["group"] for row in manifest}) < len(manifest), "pictures of one lesion"
    with open(copy.folder / "results/skin/table.csv", encoding="utf-8") as stream:
        chosen = next(row for row in csv.DictReader(stream) if row["winner"] == "1")
    assert float(chosen["roc_auc"]) > 0.55
    page = (copy.folder / "results/report.html").read_text()
    assert "Generated data" not in page
    assert f"{float(chosen['roc_auc']):.3f}" in page
