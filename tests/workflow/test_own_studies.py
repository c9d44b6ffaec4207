"""A folder and a table in, a study with a report out: no line of code, and one edited line."""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from own_studies import bids, chest, ct, lesions
from workflow_copy import Workflow

pytestmark = pytest.mark.slow


def nothing(content: dict[str, Any]) -> None:
    """Settings without any study, as they are for who starts with data of their own."""
    content |= {"studies": {}, "phantoms": {}, "pretrained": {}}
    content["defaults"]["evaluation"] = {"replicates": 100}


@pytest.mark.parametrize(
    ("make", "epochs", "classes", "cases"),
    [
        (lesions, 5, ["bcc", "bkl", "mel", "nv"], 96),
        (chest, 5, ["normal", "pneumonia"], 48),
        (bids, 3, ["control", "tumour"], 28),
        (ct, 4, ["haemorrhage 0", "haemorrhage 1"], 32),
    ],
)
def test_a_folder_becomes_a_report(
    tmp_path: Path, make: Callable[[Path], None], epochs: int, classes: list[str], cases: int
) -> None:
    make(tmp_path / "raw")
    own = Workflow(tmp_path / "clone", nothing)
    printed = own.run("python", "workflow/new_study.py", "own", str(tmp_path / "raw"))
    assert f"cases: {cases} of" in printed
    assert "train" in printed.split("added to params.yaml")[1]  # of the dry run
    params = own.folder / "params.yaml"
    text, edited = re.subn(r"epochs: \d+ ", f"epochs: {epochs} ", params.read_text())
    assert edited == 1
    params.write_text(text)
    own.snakemake()
    with open(own.folder / "results/own/table.csv", encoding="utf-8") as stream:
        chosen = next(row for row in csv.DictReader(stream) if row["winner"] == "1")
    auc, low, high = (float(chosen[f"roc_auc{end}"]) for end in ("", "_low", "_high"))
    assert auc > 0.9, "a strong signal"
    page = html.unescape((own.folder / "results/report.html").read_text())
    page = re.sub(r'"data:[^"]+"', '""', page)  # pictures
    assert f"{auc:.3f}" in page
    assert f"{low:.3f} to {high:.3f}" in page
    assert f"Can a model tell {', '.join(classes[:-1])} and {classes[-1]} apart?" in page
    counts = page[page.index('id="own-counts"') :]
    counts = counts[: counts.index("</table>")]
    assert all(f">{name}<" in counts for name in classes)
    assert f">{cases}<" in counts
    for name in ("braintriage", "NIH", "MHIST", "HAM10000", "mined from reports", "pathologists"):
        assert name not in page
    assert "Published values" not in page
