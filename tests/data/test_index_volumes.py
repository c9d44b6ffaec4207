"""The index of volumes: good patients are listed whole, bad ones named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scans import SEQUENCES, make_index, volume, voxels, write, write_patient, write_series
from triage.data.readers import Case, Loading, Problem, volumes
from triage.errors import UserError
from triage.files import read_table
from volume_index import BAD_PATIENT, cut_file, relink


def test_the_manifest_lists_every_patient(raw: Path) -> None:
    made = make_index(raw)
    assert made.problems == []
    rows = {row["case"]: row for row in made.rows()}
    assert list(rows) == sorted(rows)
    assert len(rows) == 8
    first, last = rows["P00"], rows["P07"]
    assert (first["label"], first["partition"], first["group"]) == ("normal", "train", "P00")
    assert (last["label"], last["partition"]) == ("", "test")
    sizes = [(raw / f"train/full/normal/P00/{name}.mha").stat().st_size for name in SEQUENCES]
    assert first["size"] == str(sum(sizes))
    assert len({row["sha256"] for row in rows.values()}) == 8


def test_visits_of_a_patient_are_one_group(raw: Path) -> None:
    for visit in "12":
        write_patient(raw / f"train/full/normal/Q-S{visit}", 50 + int(visit))
    groups = {row["case"]: row["group"] for row in make_index(raw, group=r"^(.+)-S\d+$").rows()}
    assert groups["Q-S1"] == groups["Q-S2"] == "Q"
    assert groups["P00"] == "P00"


@pytest.mark.parametrize("pattern", ["(", "no group", "(two)(groups)"])
def test_a_pattern_that_names_no_group_is_refused(raw: Path, pattern: str) -> None:
    with pytest.raises(UserError, match="group"):
        make_index(raw, group=pattern)


PATIENT_DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda folder: (folder / "T2.mha").unlink(), "lacks T2; there are: T1.mha, T2-"),
    "doubled": (lambda folder: (folder / "T2.nii").write_text("x"), "T2 more than once"),
    "copied": (lambda folder: shutil.copy(folder / "T1.mha", folder / "T2.mha"), "is a copy of"),
    "truncated": (lambda folder: cut_file(folder / "T2.mha"), "cut short"),
    "few slices": (lambda folder: few_slices(folder), "has 2 slice(s), fewer than min_slices = 4"),
    "link to nowhere": (lambda folder: relink(folder / "T2.mha"), "can't be read"),
    "of another patient": (
        lambda folder: shutil.copy(folder.with_name("P01") / "T1.mha", folder / "T1.mha"),
        "another case, whose other files differ",
    ),
    "of another label": (
        lambda folder: shutil.copytree(
            folder.parents[1] / "abnormal/P03", folder, dirs_exist_ok=True
        ),
        "which is abnormal and not normal",
    ),
    "empty folder": (lambda folder: [path.unlink() for path in folder.iterdir()], "empty folder"),
}  # fmt: skip


def few_slices(folder: Path) -> None:
    for i, name in enumerate(SEQUENCES):
        write(volume(voxels(90 + i, (2, 20, 18))), folder / f"{name}.mha")


@pytest.mark.parametrize("name", PATIENT_DAMAGES)
def test_a_bad_patient_goes_to_quarantine_and_the_rest_stays(raw: Path, name: str) -> None:
    before = {row["case"]: row for row in make_index(raw).rows()}
    damage, words = PATIENT_DAMAGES[name]
    damage(raw / BAD_PATIENT)
    made = make_index(raw)
    problems = {problem.case: problem for problem in made.problems}
    assert words in problems["P00"].reason
    assert problems["P00"].file.startswith(str(BAD_PATIENT))
    after = {row["case"]: row for row in made.rows()}
    assert after == {case: row for case, row in before.items() if case not in problems}


def test_whole_copies_of_one_label_are_kept(raw: Path) -> None:
    shutil.copytree(raw / BAD_PATIENT, raw / "train/full/normal/copy")
    made = make_index(raw)
    assert made.problems == []
    sums = {row["case"]: row["sha256"] for row in made.rows()}
    assert sums["copy"] == sums["P00"]


def test_files_in_no_patients_folder_are_listed(raw: Path) -> None:
    (raw / "train/full/normal/notes.txt").write_text("x")
    (raw / "readme.txt").write_text("x")
    (raw / "link").symlink_to("nowhere")
    problems = {problem.file: problem for problem in make_index(raw).problems}
    assert problems["train/full/normal/notes.txt"].reason == "is in no patient's folder"
    assert problems["link"].reason.startswith("can't be read")
    assert "readme.txt" not in problems


def test_names_of_all_kinds_survive(raw: Path) -> None:
    names = ["with space", 'quote"', "comma,", "-dash", "ünï", "'; rm -rf x", "$(x)", "\u00a0nbsp"]
    for i, name in enumerate(names):
        write_patient(raw / "train/full/normal" / name, 30 + i)
    write_patient(raw / "train/full/normal/new\nline", 60)
    made = make_index(raw)
    assert {row["case"] for row in made.rows()} >= set(names)
    assert set(read_table(raw.parent / "manifest.csv")["case"]) >= set(names)
    assert {problem.case for problem in made.problems} == {r"new\x0aline"}


def test_names_from_tables_can_not_break_tables(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other readers take names from tables, where any character can stand."""
    find = volumes.find

    def strange(*arguments: object) -> tuple[list[Case], list[Problem]]:
        cases, problems = find(*arguments)  # type: ignore[arg-type]
        return [replace(cases[0], case="a\nb"), *cases[1:]], problems

    monkeypatch.setattr(volumes, "find", strange)
    made = make_index(raw)
    assert len(made.cases) == 7
    assert [(problem.case, problem.reason) for problem in made.problems] == [
        (r"a\x0ab", "has control characters in its name")
    ]


def test_the_quarantine_is_written_with_its_columns(raw: Path) -> None:
    (raw / BAD_PATIENT / "T2.mha").unlink()
    make_index(raw)
    rows = read_table(raw.parent / "quarantine.csv", ["file", "case", "reason"])
    assert rows["case"].tolist() == ["P00"]


def test_too_many_bad_patients_stop_with_the_first_reasons(raw: Path) -> None:
    (raw / BAD_PATIENT / "T2.mha").unlink()
    with pytest.raises(UserError) as caught:
        make_index(raw, max_quarantined=0.1)
    for words in ("1 of 8 cases", "max_quarantined", "P00: lacks T2", str(raw)):
        assert words in str(caught.value)
    assert make_index(raw, max_quarantined=0.125).problems


def test_a_patient_in_both_classes_stops(raw: Path) -> None:
    write_patient(raw / "train/full/abnormal/P00", 77)
    with pytest.raises(UserError, match=r"P00: train/full/abnormal/P00, train/full/normal/P00"):
        make_index(raw)


@pytest.mark.parametrize("label", ["Abnormal", "abnorml", "new"])
def test_a_folder_that_is_no_class_stops(raw: Path, label: str) -> None:
    write_patient(raw / f"train/full/{label}/X", 77)
    with pytest.raises(UserError, match=f"'{label}' is no class"):
        make_index(raw)


def test_an_empty_class_stops(raw: Path) -> None:
    shutil.rmtree(raw / "train/full/abnormal")
    with pytest.raises(UserError, match="no usable case of abnormal"):
        make_index(raw)


def test_a_folder_without_patients_says_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(UserError, match="expected train/full/normal/<patient>"):
        make_index(tmp_path / "raw")


def test_a_folder_too_high_is_pointed_out(raw: Path) -> None:
    (raw.parent / "above").mkdir()
    raw.rename(raw.parent / "above/data")
    with pytest.raises(UserError, match="below data: set the raw folder to it"):
        make_index(raw.parent / "above")


def test_names_of_patients_in_dicom_headers_are_nowhere(raw: Path) -> None:
    for i, name in enumerate(SEQUENCES):
        (raw / BAD_PATIENT / f"{name}.mha").unlink()
        write_series(volume(voxels(40 + i)), raw / BAD_PATIENT / name)
    made = make_index(raw)
    assert len(made.cases) == 8
    assert "Doe" not in str(made)
    (raw / BAD_PATIENT / "T2/003.dcm").unlink()
    bad = make_index(raw)
    assert "Doe" not in str(bad)
    assert [problem.case for problem in bad.problems] == ["P00"]


def test_a_folder_of_dicom_counts_with_all_its_files(raw: Path) -> None:
    for i, name in enumerate(SEQUENCES):
        (raw / BAD_PATIENT / f"{name}.mha").unlink()
        write_series(volume(voxels(40 + i)), raw / BAD_PATIENT / name)
    first = make_index(raw).rows()[0]
    assert int(first["size"]) == sum(
        path.stat().st_size for path in (raw / BAD_PATIENT).rglob("*.dcm")
    )
    slice_ = raw / BAD_PATIENT / "T2/003.dcm"
    slice_.write_bytes(slice_.read_bytes() + b"\0\0")
    assert make_index(raw).rows()[0]["sha256"] != first["sha256"]


def test_volumes_that_are_no_channel_are_listed_and_side_files_are_not(raw: Path) -> None:
    folder = raw / BAD_PATIENT
    write(volume(voxels(88)), folder / "T1c.nii.gz")
    write_series(volume(voxels(89)), folder / "localizer")
    for name in ("T1.json", "dwi.bval", "T1.png", "notes.txt"):
        (folder / name).write_text("x")
    made = make_index(raw)
    assert len(made.cases) == 8
    assert {problem.file: (problem.case, problem.reason) for problem in made.problems} == {
        f"{BAD_PATIENT}/{name}": ("", "is no channel: these are T1, T2, T2-FLAIR")
        for name in ("T1c.nii.gz", "localizer")
    }


def test_new_cases_are_found_in_folders_and_by_what_their_files_share() -> None:
    how = Loading(channels=("T1w", "FLAIR"))
    paths = [
        "a/T1w.mha", "a/FLAIR/001.dcm", "a/FLAIR/002.dcm", "a/T1w.json", "a/T1w.png",
        "anat/sub-01_T1w.nii.gz", "anat/sub-01_FLAIR.nii.gz", "anat/sub-02_T1w.nii.gz",
        "b/dwi.nii.gz",
    ]  # fmt: skip
    cases, problems = volumes.gather(paths, how)
    assert {case.case: dict(case.files) for case in cases} == {
        "a": {"T1w": "a/T1w.mha", "FLAIR": "a/FLAIR"},
        "anat/sub-01": {"T1w": "anat/sub-01_T1w.nii.gz", "FLAIR": "anat/sub-01_FLAIR.nii.gz"},
    }
    assert {problem.file: problem.reason for problem in problems} == {
        "b/dwi.nii.gz": "is none of T1w, FLAIR",
        "anat/sub-02": "lacks FLAIR; there are: T1w.nii.gz",
    }
