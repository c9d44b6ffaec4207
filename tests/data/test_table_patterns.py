"""Patterns of columns, and files of several channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lesion_tables import VALUES, find, lesions
from picture_sets import write


def test_a_pattern_of_columns(tmp_path: Path) -> None:
    lesions(tmp_path)
    columns = {"pattern": "images/{image_id}.jpg", "label": "dx"}
    cases, problems = find(tmp_path, columns=columns, values=VALUES)
    assert not problems
    assert cases["a"].files == {"image": "images/a.jpg"}


def bids(raw: Path, subjects: Sequence[str], channels: Sequence[str] = ("T1w", "FLAIR")) -> None:
    for subject in subjects:
        for channel in channels:
            path = raw / f"{subject}/anat/{subject}_run-1_{channel}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"volume")
    rows = "".join(f"{subject}\t{i % 2}\n" for i, subject in enumerate(subjects))
    (raw / "participants.tsv").write_text(f"participant_id\till\n{rows}")


BIDS = {
    "table": "participants.tsv",
    "classes": ["healthy", "ill"],
    "task": "binary",
    "values": {"0": "healthy", "1": "ill"},
    "channels": ["T1w", "FLAIR"],
    "columns": {
        "pattern": "{participant_id}/anat/{participant_id}_*_{channel}.nii.gz",
        "label": "ill",
    },
}


def test_channels_of_bids(tmp_path: Path) -> None:
    bids(tmp_path, ["sub-01", "sub-02", "sub-03"], ["T1w", "FLAIR", "bold"])
    cases, problems = find(tmp_path, **BIDS)
    assert not problems
    assert list(cases["sub-02"].files) == ["T1w", "FLAIR"]
    assert cases["sub-02"].files["FLAIR"] == "sub-02/anat/sub-02_run-1_FLAIR.nii.gz"


def test_a_channel_that_some_cases_lack(tmp_path: Path) -> None:
    bids(tmp_path, ["sub-01", "sub-02"])
    (tmp_path / "sub-02/anat/sub-02_run-1_FLAIR.nii.gz").unlink()
    cases, problems = find(tmp_path, **BIDS)
    assert list(cases) == ["sub-01"]
    named = "sub-02/anat/sub-02_*_FLAIR.nii.gz as FLAIR, which is not there"
    assert [(each.case, each.reason) for each in problems] == [("sub-02", f"line 3 names {named}")]


def test_a_volume_may_be_a_folder_of_slices(tmp_path: Path) -> None:
    for case in "ab":
        for i in range(2):
            (tmp_path / case / "CT").mkdir(parents=True, exist_ok=True)
            (tmp_path / case / f"CT/{i}.dcm").write_bytes(b"slice")
    (tmp_path / "labels.csv").write_text("id,dx\na,nv\nb,mel\n")
    columns = {"pattern": "{id}/CT", "label": "dx"}
    cases, problems = find(tmp_path, columns=columns, values=VALUES)
    assert not problems
    assert cases["b"].files == {"image": "b/CT"}


def test_a_column_for_the_file_of_each_channel(tmp_path: Path) -> None:
    write(tmp_path, ["x/1.png", "y/1.png"])
    (tmp_path / "labels.csv").write_text("one,two,dx\nx/1.png,y/1.png,nv\n")
    columns = {"file": {"A": "one", "B": "two"}, "label": "dx"}
    cases, problems = find(tmp_path, columns=columns, values=VALUES, channels=["A", "B"])
    assert not problems
    assert cases["1"].files == {"A": "x/1.png", "B": "y/1.png"}
