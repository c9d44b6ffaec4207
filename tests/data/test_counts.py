"""Everything that was seen is used, beside what is used, unused or in quarantine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.data.counts import BESIDE, QUARANTINED, UNUSED, USED, count, is_beside, tell

PATHS = [
    "sub-1/T1.nii.gz",
    "sub-1/T1.json",
    "sub-1/T1c.nii.gz",
    "sub-2/CT/1",
    "sub-2/CT/2",
    "sub-2/CT/desktop.ini",
    "sub-3/T1.mhd",
    "sub-3/T1.zraw",
    "sub-4/T1.nii.gz",
    "loose.png",
    "participants.tsv",
    "README",
]


def test_files_are_counted_by_use_and_kind(caplog: pytest.LogCaptureFixture) -> None:
    used = {"1": ["sub-1/T1.nii.gz"], "2": ["sub-2/CT"], "3": ["sub-3/T1.mhd"]}
    found = count(PATHS, used, {"4": ["sub-4/T1.nii.gz"]}, ["loose.png"])
    assert [(each.use, each.kind, each.files) for each in found] == [
        (USED, "without extension", 2),
        (USED, ".mhd", 1),
        (USED, ".nii.gz", 1),
        (USED, ".zraw", 1),
        (BESIDE, ".ini", 1),
        (BESIDE, ".json", 1),
        (BESIDE, ".tsv", 1),
        (BESIDE, "without extension", 1),
        (UNUSED, ".nii.gz", 1),
        (QUARANTINED, ".nii.gz", 1),
        (QUARANTINED, ".png", 1),
    ]
    with caplog.at_level("INFO"):
        tell(found)
    assert "12 file(s) seen: 5 used, 4 beside them, 1 unused, 2 quarantined" in caplog.text
    assert "unused: 1 .nii.gz, such as sub-1/T1c.nii.gz" in caplog.text


@given(st.lists(st.sampled_from(PATHS), unique=True), st.sets(st.sampled_from(PATHS)))
def test_nothing_is_lost(paths: list[str], used: set[str]) -> None:
    found = count(paths, {"a": used}, {}, [])
    assert sum(each.files for each in found) == len(paths)


@pytest.mark.parametrize("name", ["a/T1.json", "a.bval", "thumbs_1.png", "x_thumb.jpg", "DICOMDIR"])
def test_what_stands_beside_images(name: str) -> None:
    assert is_beside(name)


@pytest.mark.parametrize("name", ["a.png", "thumbprint.jpg", "b.nii.gz", "c", "thumba.dcm"])
def test_what_does_not(name: str) -> None:
    assert not is_beside(name)


def test_files_of_withdrawn_cases_are_counted_and_named_nowhere() -> None:
    paths = ["a/P1/T1.mha", "a/P2/T1.mha", "b/x.png", "c/v.mhd", "c/w.raw", "d/1/2.dcm", "P1.png"]
    gone = ["a/P1/T1.mha", "b/x.png", "c/v.mhd", "c/w.raw", "d"]
    counts = count(paths, {"P2": ["a/P2/T1.mha"]}, {}, [], gone)
    told = {each.use: (each.files, each.example) for each in counts if each.kind == ".mha"}
    assert told == {"used": (1, "a/P2/T1.mha"), "withdrawn": (1, "")}
    assert sum(each.files for each in counts if each.use == "withdrawn") == 5
    assert {each.example for each in counts} == {"a/P2/T1.mha", "P1.png", ""}


def test_what_stands_by_withdrawn_files_is_not_named(caplog: pytest.LogCaptureFixture) -> None:
    gone = ["sub-1/anat/T1.nii.gz", "flat/P1.png"]
    paths = [*gone, "sub-1/dwi/1.nii.gz", "sub-1/scans.tsv", "sub-1/anat/T1.json", "flat/P1.json"]
    used = {"2": ["sub-2/anat/T1.nii.gz"], "3": ["flat/P3.png"]}
    paths += [*used["2"], *used["3"], "flat/P3.json"]
    counts = count(paths, used, {}, [], gone)
    assert sum(each.files for each in counts) == len(paths)
    named = {each.example for each in counts} - {""}
    assert named == {"sub-2/anat/T1.nii.gz", "flat/P3.png", "flat/P3.json"}
    with caplog.at_level("INFO"):
        tell(counts)
    assert "sub-1" not in caplog.text
    assert "P1" not in caplog.text
