"""The tables of NIH ChestX-ray14: labels, patients, ages and lists, and bad ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from picture_reading import ALL_FINDINGS, ANY_FINDING
from picture_sets import NIH_HEADER, find, noise, save, write_nih
from triage.errors import UserError

ROWS = [
    "00000001_000.png,Cardiomegaly|Effusion,0,1,058Y,M",
    "00000001_001.png,No Finding,1,1,59,M",
    "00000013_026.png,Mass,26,13,013M,F",
]


def test_nih_labels_patients_and_ages(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS)
    cases, problems = find(tmp_path, "nih", ALL_FINDINGS)
    assert not problems
    assert [case.label for case in cases.values()] == [
        "Cardiomegaly|Effusion",
        "No Finding",
        "Mass",
    ]
    assert [case.group for case in cases.values()] == ["1", "1", "13"]
    assert [case.attributes["age"] for case in cases.values()] == ["58", "59", f"{13 / 12:g}"]
    assert [case.attributes["sex"] for case in cases.values()] == ["M", "M", "F"]
    assert cases["00000013_026"].files == {"image": "images/00000013_026.png"}


def test_the_column_of_sex_may_be_called_so(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS, NIH_HEADER.replace("Patient Gender", "Patient Sex"))
    cases, _ = find(tmp_path, "nih", ALL_FINDINGS)
    assert [case.attributes["sex"] for case in cases.values()] == ["M", "M", "F"]


def test_any_finding_is_a_class_of_its_own(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS)
    cases, _ = find(tmp_path, "nih", ANY_FINDING)
    assert [case.label for case in cases.values()] == ["Finding", "No Finding", "Finding"]


@pytest.mark.parametrize(
    ("written", "years"),
    [("060Y", 60), ("60", 60), ("013M", 13 / 12), ("001D", 1 / 365.25), ("411Y", None), ("", None)],
)
def test_ages_of_all_releases(tmp_path: Path, written: str, years: float | None) -> None:
    write_nih(tmp_path, [f"a.png,Mass,0,1,{written},M"])
    cases, _ = find(tmp_path, "nih", ALL_FINDINGS)
    assert cases["a"].attributes.get("age") == (None if years is None else f"{years:g}")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", ",\n"),
        lambda text: text.replace("\n", ",,,\n"),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: text.replace(",", " , "),
        lambda text: text.replace("OriginalImage[Width,Height]", '"OriginalImage[Width,Height]"'),
        lambda text: text.replace("[Width,Height]", "Width,OriginalImageHeight"),
        lambda text: text.replace("[x,y]", "_x,OriginalImagePixelSpacing_y"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("Mass", '"Mass"'),
    ],
)
def test_tables_of_any_editor_are_survived(tmp_path: Path, change) -> None:
    write_nih(tmp_path, ROWS)
    table = tmp_path / "Data_Entry_2017.csv"
    expected, _ = find(tmp_path, "nih", ALL_FINDINGS)
    table.write_bytes(change(table.read_text()).encode())
    assert find(tmp_path, "nih", ALL_FINDINGS) == (expected, [])


def test_pictures_may_lie_in_numbered_folders(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS)
    for number, row in enumerate(ROWS, 1):
        name = row.split(",")[0]
        folder = tmp_path / f"images_{number:03}/images"
        folder.mkdir(parents=True)
        (tmp_path / "images" / name).rename(folder / name)
    cases, problems = find(tmp_path, "nih", ALL_FINDINGS)
    assert cases["00000013_026"].files["image"] == "images_003/images/00000013_026.png"
    assert not problems


def test_nih_lists_give_the_partition(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS)
    (tmp_path / "train_val_list.txt").write_bytes(b"00000001_000.png\r\n00000099_000.png\r\n")
    (tmp_path / "test_list.txt").write_bytes(b"00000013_026.png")
    cases, problems = find(tmp_path, "nih", ALL_FINDINGS)
    assert {name: case.partition for name, case in cases.items()} == {
        "00000001_000": "train",
        "00000013_026": "test",
    }
    assert [(problem.case, problem.reason[:10]) for problem in problems] == [
        ("00000001_001", "is in neit")
    ]


def test_rows_and_pictures_without_partner_are_quarantined(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS)
    (tmp_path / "images/00000001_001.png").rename(tmp_path / "images/00000077_000.png")
    save(noise(5), tmp_path / "copy/00000001_000.png")
    cases, problems = find(tmp_path, "nih", ALL_FINDINGS)
    assert len(cases) == 2
    assert {(problem.file, problem.case, problem.reason) for problem in problems} == {
        (
            "Data_Entry_2017.csv",
            "00000001_001",
            "line 3 names 00000001_001.png, which is not there",
        ),
        ("images/00000077_000.png", "00000077_000", "is in no row of Data_Entry_2017.csv"),
        ("images/00000001_000.png", "", "has the same name as copy/00000001_000.png"),
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROWS[0].replace("Effusion", "Efusion")], "line 2: unknown finding 'Efusion'"),
        (
            [ROWS[0].replace("Effusion", "No Finding")],
            "line 2: 'Cardiomegaly|No Finding' says both",
        ),
        ([ROWS[0].replace("Cardiomegaly|Effusion", "")], "line 2: unknown finding ''"),
        ([ROWS[0], ROWS[0].replace("|Effusion", "")], "line 3: 00000001_000.png has Finding"),
        ([ROWS[0], ROWS[0].replace(",1,058Y", ",2,058Y")], "line 3: 00000001_000.png has Patient"),
        ([ROWS[0].replace(",1,058Y", ",,058Y")], "line 2: has no Patient ID"),
        ([ROWS[0].replace("00000001_000.png", "")], "line 2: has no Image Index"),
        ([ROWS[0] + ',"late"'], "line 2: has 12 cells, the header has 11"),
        ([], "has no rows"),
    ],
)
@pytest.mark.parametrize("classes", [ALL_FINDINGS, ANY_FINDING])
def test_nih_rows_that_cannot_be_trusted(
    tmp_path: Path, rows: list[str], message: str, classes: tuple[str, ...]
) -> None:
    write_nih(tmp_path, [])
    text = "\n".join([NIH_HEADER, *(f"{row},PA,2500,2048,0.168,0.168" for row in rows)])
    (tmp_path / "Data_Entry_2017.csv").write_text(text)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        find(tmp_path, "nih", classes)
    assert "->" in str(caught.value)


def test_a_finding_outside_the_classes_stops(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS)
    with pytest.raises(UserError, match="unknown finding 'Mass'"):
        find(tmp_path, "nih", ("Cardiomegaly", "Effusion", "No Finding"))


def test_agreeing_rows_are_taken_once(tmp_path: Path) -> None:
    write_nih(tmp_path, [*ROWS, ROWS[0]])
    cases, problems = find(tmp_path, "nih", ALL_FINDINGS)
    assert len(cases) == 3
    assert [problem.reason for problem in problems] == ["line 5 repeats line 2"]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("00000001_000.png", "00000001_000.png", "is in both train_val_list.txt and test_list.txt"),
        ("00000001_000.png", None, "there is no test_list.txt"),
    ],
)
def test_lists_that_cannot_be_trusted(
    tmp_path: Path, train: str, test: str | None, message: str
) -> None:
    write_nih(tmp_path, ROWS)
    (tmp_path / "train_val_list.txt").write_text(train)
    if test:
        (tmp_path / "test_list.txt").write_text(test)
    with pytest.raises(UserError, match=re.escape(message)):
        find(tmp_path, "nih", ALL_FINDINGS)
