"""The reader of any table: every way to name files, labels, groups and partitions, and every bad
table with its message."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from picture_sets import noise, save, write
from triage.data.readers import Case, IndexSettings, Problem, table
from triage.data.readers.table_files import _text, open_table
from triage.errors import UserError
from triage.settings import parse
from triage.task import Task

CLASSES = ("naevus", "melanoma", "keratosis")
LESIONS = "image_id,dx,patient,age,site\na,nv,P1,63,back\nb,mel,P1,63,back\nc,bkl,P2,,arm\n"
VALUES = {"nv": "naevus", "mel": "melanoma", "bkl": "keratosis"}


def find(raw: Path, **changes: Any) -> tuple[dict[str, Case], list[Problem]]:
    """What the reader finds, by settings as the workflow hands them on."""
    block = {
        **{"reader": "table", "classes": CLASSES, "group": None, "task": "multiclass"},
        **{"max_quarantined": 0.5, "min_slices": 1, "table": "labels.csv"},
        **changes,
    }
    settings = parse(IndexSettings, json.dumps(block))
    paths = sorted(path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file())
    cases, problems = table.find(raw, paths, settings)
    return {case.case: case for case in cases}, problems


def lesions(raw: Path, text: str = LESIONS, files: Sequence[str] = ()) -> None:
    write(raw, files or [f"images/{name}.jpg" for name in "abc"], "RGB")
    (raw / "labels.csv").write_text(text)


def labels(cases: dict[str, Case]) -> list[str]:
    return [case.label for case in cases.values()]


BASIC = {"columns": {"file": "image_id", "label": "dx"}, "values": VALUES}


def test_names_without_extension_classes_groups_and_attributes(tmp_path: Path) -> None:
    lesions(tmp_path)
    columns = {"file": "image_id", "label": "dx", "group": "patient"}
    cases, problems = find(tmp_path, columns=columns, values=VALUES, attributes=["age", "site"])
    assert not problems
    assert labels(cases) == ["naevus", "melanoma", "keratosis"]
    assert [case.group for case in cases.values()] == ["P1", "P1", "P2"]
    assert cases["a"].attributes == {"age": "63", "site": "back"}
    assert cases["c"].attributes == {"site": "arm"}
    assert cases["b"].files == {"image": "images/b.jpg"}


@pytest.mark.parametrize(
    "name",
    ["images/{}.jpg", "./images/{}.jpg", "C:\\data\\images\\{}.jpg", "/old/{}.jpg", "{}.jpg"],
)
def test_names_may_carry_folders_of_any_machine(tmp_path: Path, name: str) -> None:
    lesions(tmp_path, "image_id,dx\n" + "".join(f"{name.format(each)},nv\n" for each in "abc"))
    cases, problems = find(tmp_path, **BASIC)
    assert not problems
    assert list(cases) == ["a", "b", "c"]


@pytest.mark.parametrize(("cell", "disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_are_found_in_either_unicode_form(tmp_path: Path, cell: str, disk: str) -> None:
    name = unicodedata.normalize(disk, "Größe")
    lesions(tmp_path, f"image_id,dx\n{unicodedata.normalize(cell, 'Größe')},nv\n", [f"{name}.png"])
    cases, problems = find(tmp_path, **BASIC)
    assert not problems
    assert [case.files["image"] for case in cases.values()] == [f"{name}.png"]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: text.replace("\n", "\r\n").replace(",", " ; ").encode(),
        lambda text: ("\n\n" + text).encode(),
    ],
)
def test_text_of_any_program(tmp_path: Path, change: Any) -> None:
    lesions(tmp_path)
    (tmp_path / "labels.csv").write_bytes(change(LESIONS))
    cases, problems = find(tmp_path, **BASIC)
    assert not problems
    assert labels(cases) == ["naevus", "melanoma", "keratosis"]


def test_decimal_commas_are_numbers(tmp_path: Path) -> None:
    lesions(tmp_path, "image_id;dx;age\na;nv;63,5\nb;nv;0,5\nc;nv;12\n")
    cases, _ = find(tmp_path, **BASIC, attributes=["age"])
    assert [case.attributes["age"] for case in cases.values()] == ["63.5", "0.5", "12"]


def workbook(raw: Path, rows: Sequence[Sequence[object]], merge: str = "") -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(list(row))
    if merge:
        sheet.merge_cells(merge)
    book.create_sheet("notes").append(["nothing", "of use"])
    book.save(raw / "labels.xlsx")


ROWS = [("image_id", "dx", "count"), ("a", 1, 2.0), ("b", 0, None), ("c", 1.0, 3)]


def test_excel_sheets(tmp_path: Path) -> None:
    lesions(tmp_path)
    (tmp_path / "labels.csv").unlink()
    workbook(tmp_path, ROWS)
    values = {"1": "melanoma", "0": "naevus"}
    cases, problems = find(tmp_path, table="labels.xlsx", columns=BASIC["columns"], values=values)
    assert not problems
    assert labels(cases) == ["melanoma", "naevus", "melanoma"]


def test_merged_cells_are_refused(tmp_path: Path) -> None:
    lesions(tmp_path)
    workbook(tmp_path, ROWS, merge="B2:B3")
    with pytest.raises(UserError, match=r"labels.xlsx, sheet Sheet: has merged cells: B2:B3"):
        find(tmp_path, table="labels.xlsx", **BASIC)


def test_old_workbooks_and_what_is_none_are_refused(tmp_path: Path) -> None:
    for name, message in (
        ("a.xls", "Excel 97"),
        ("a.xlsx", "no workbook"),
        ("a.parquet", "arquet"),
    ):
        (tmp_path / name).write_bytes(b"PK no archive")
        with pytest.raises(UserError, match=message):
            open_table(tmp_path / name)


def test_several_classes_in_a_column(tmp_path: Path) -> None:
    lesions(tmp_path, "image_id;dx\na;mel, nv\nb;\nc;bkl\n")
    columns = {"file": "image_id", "label": "dx", "separator": ","}
    cases, _ = find(tmp_path, columns=columns, values=VALUES, task="multilabel")
    assert labels(cases) == ["naevus|melanoma", "", "keratosis"]


MARKS = "image_id,naevus,melanoma,keratosis\na,1,0,0.0\nb,-1,1.0,\nc,0,0,0\nd,,,\n"


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ({}, ["naevus", "?naevus|melanoma|?keratosis", "(none)", ""]),
        ({"uncertain": "positive"}, ["naevus", "naevus|melanoma|?keratosis", "(none)", ""]),
        (
            {"uncertain": "negative", "blank": "negative"},
            ["naevus", "melanoma", "(none)", "(none)"],
        ),
    ],
)
def test_a_column_for_each_class(tmp_path: Path, policies: dict, expected: list[str]) -> None:
    lesions(tmp_path, MARKS, [f"{name}.png" for name in "abcd"])
    columns = {"file": "image_id", "label": list(CLASSES)}
    cases, _ = find(tmp_path, columns=columns, task="multilabel", **policies)
    assert labels(cases) == expected


def test_unsure_classes_are_unknown_targets() -> None:
    from triage.training.cases import Cases

    targets = Cases(("a", "b", "c"), ("?naevus|melanoma", "(none)", "")).targets(CLASSES)
    assert str(targets.tolist()) == "[[nan, 1.0, 0.0], [0.0, 0.0, 0.0], [nan, nan, nan]]"


def test_one_mark_of_exclusive_classes(tmp_path: Path) -> None:
    lesions(tmp_path, "image_id,NV,MEL,BKL\na,1,0,0\nb,0,1,0\nc,0,0,1\n")
    named = {"naevus": "NV", "melanoma": "MEL", "keratosis": "BKL"}
    columns = {"file": "image_id", "label": named}
    assert labels(find(tmp_path, columns=columns)[0]) == list(CLASSES)
    (tmp_path / "labels.csv").write_text("image_id,NV,MEL,BKL\na,1,1,0\n")
    with pytest.raises(UserError, match=r"line 2: marks several classes: naevus, melanoma"):
        find(tmp_path, columns=columns)


def test_one_column_of_two_classes(tmp_path: Path) -> None:
    lesions(tmp_path, "image_id,malignant\na,yes\nb,no\nc,1\n")
    columns = {"file": "image_id", "label": ["malignant"]}
    cases, _ = find(tmp_path, columns=columns, classes=["benign", "malignant"], task="binary")
    assert labels(cases) == ["malignant", "benign", "malignant"]


def test_values_may_be_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lesions(tmp_path)
    values = {"nv": "naevus", "mel": "melanoma"}
    with caplog.at_level("INFO"):
        cases, problems = find(tmp_path, **BASIC | {"values": values}, leave_out=["bkl"])
    assert (list(cases), problems) == (["a", "b"], [])
    assert "1 row(s) with bkl" in caplog.text


def test_partitions_in_any_words(tmp_path: Path) -> None:
    lesions(tmp_path, "image_id,dx,set\na,nv,Training\nb,nv,validation\nc,nv,TEST\n")
    columns = {"file": "image_id", "label": "dx", "partition": "set"}
    cases, _ = find(tmp_path, columns=columns, values=VALUES)
    assert [case.partition for case in cases.values()] == ["train", "val", "test"]
    words = {"train": ["training", "validation"], "test": "TEST"}
    cases, _ = find(tmp_path, columns=columns, values=VALUES, partitions=words)
    assert [case.partition for case in cases.values()] == ["train", "train", "test"]


def test_groups_of_several_columns_or_a_pattern(tmp_path: Path) -> None:
    lesions(tmp_path, "image_id,dx,site,id\na,nv,X,1\nb,nv,Y,1\nc,nv,X,1\n")
    columns = {"file": "image_id", "label": "dx", "group": ["site", "id"]}
    cases, _ = find(tmp_path, columns=columns, values=VALUES)
    assert [case.group for case in cases.values()] == ["X/1", "Y/1", "X/1"]
    cases, _ = find(tmp_path, columns=columns, values=VALUES, group="(.)$")
    assert [case.group for case in cases.values()] == ["a", "b", "c"]


def test_a_group_in_two_partitions_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lesions(tmp_path, "image_id,dx,set,id\na,nv,train,P1\nb,nv,test,P1\nc,nv,test,P2\n")
    columns = {"file": "image_id", "label": "dx", "group": "id", "partition": "set"}
    find(tmp_path, columns=columns, values=VALUES)
    assert "1 group(s) have cases in two partitions: P1: a in train, b in test" in caplog.text


def test_annotators_may_be_any_number(tmp_path: Path) -> None:
    lesions(tmp_path, "image_id,dx,votes\na,nv,0\nb,mel,5\nc,mel,3\n")
    columns = {"file": "image_id", "label": "dx", "votes": "votes"}
    both = {"classes": ["naevus", "melanoma"], "task": "binary"}
    values = {"nv": "naevus", "mel": "melanoma"}
    cases, _ = find(tmp_path, columns=columns, values=values, annotators=5, **both)
    assert [case.votes for case in cases.values()] == [0, 5, 3]
    with pytest.raises(UserError, match="but 3 of 7 selected melanoma"):
        find(tmp_path, columns=columns, values=values, annotators=7, **both)
    with pytest.raises(UserError, match="unknown votes '5'"):
        find(tmp_path, columns=columns, values=values, annotators=4, **both)


# --- patterns and channels


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


# --- without partner


def test_rows_and_files_without_partner_and_doubled_rows(tmp_path: Path) -> None:
    lesions(tmp_path, LESIONS + "d,nv,P3,,\na,nv,P1,63,back\n", [f"{n}.jpg" for n in "abcx"])
    (tmp_path / "a.json").write_text("{}")
    cases, problems = find(tmp_path, **BASIC)
    assert list(cases) == ["a", "b", "c"]
    assert {(each.file, each.case, each.reason) for each in problems} == {
        ("labels.csv", "d", "line 5 names d, which is not there"),
        ("labels.csv", "", "line 6 repeats line 2"),
        ("x.jpg", "x", "is in no row of labels.csv"),
    }


def test_a_name_that_fits_several_files_is_not_guessed(tmp_path: Path) -> None:
    lesions(tmp_path, "image_id,dx\na.jpg,nv\nb,nv\n", ["x/a.jpg", "y/a.jpg", "b.jpg"])
    cases, problems = find(tmp_path, **BASIC)
    assert list(cases) == ["b"]
    assert problems[0].reason == "line 2 names a.jpg, which fits 2 files: x/a.jpg, y/a.jpg"


def test_equal_names_in_several_folders_are_cases_of_their_own(tmp_path: Path) -> None:
    lesions(
        tmp_path, "image_id,dx\nx/a.jpg,nv\ny/a.jpg,mel\nb,nv\n", ["x/a.jpg", "y/a.jpg", "b.jpg"]
    )
    cases, problems = find(tmp_path, **BASIC)
    assert not problems
    assert {name: case.label for name, case in cases.items()} == {
        "x/a": "naevus",
        "y/a": "melanoma",
        "b": "naevus",
    }


@pytest.mark.parametrize("sign", ["\u200b", "\ufeff", "\u00ad", "\u200e"])
def test_signs_that_nobody_sees_part_no_group_and_hide_no_file(tmp_path: Path, sign: str) -> None:
    rows = f"a{sign},nv,P{sign}1\n{sign}b,{sign}nv,P1\nc,nv,P1{sign}\n"
    lesions(tmp_path, f"image_id,d{sign}x,patient\n{rows}")
    columns = {"file": "image_id", "label": "dx", "group": "patient"}
    cases, problems = find(tmp_path, columns=columns, values=VALUES)
    assert not problems
    assert {case.group for case in cases.values()} == {"P1"}


def test_names_of_one_group_are_one_in_any_spelling(tmp_path: Path) -> None:
    forms = ["Grö\u00dfe 1", unicodedata.normalize("NFD", "Größe 1"), "Größe\u00a01"]
    lesions(tmp_path, "image_id,dx,patient\n" + "".join(
        f"{name},nv,{form}\n" for name, form in zip("abc", forms, strict=True)))  # fmt: skip
    columns = {"file": "image_id", "label": "dx", "group": "patient"}
    cases, _ = find(tmp_path, columns=columns, values=VALUES)
    assert {case.group for case in cases.values()} == {"Größe 1"}


def test_files_whose_names_look_the_same_are_all_told_of(tmp_path: Path) -> None:
    names = [f"{unicodedata.normalize(form, 'Größe')}.png" for form in ("NFC", "NFD")]
    lesions(tmp_path, "image_id,dx\nGröße,nv\n", names)
    cases, problems = find(tmp_path, **BASIC)
    told = [problem.file for problem in problems]
    assert sorted([case.files["image"] for case in cases.values()] + told) == sorted(names)


@pytest.mark.parametrize(
    "text",
    [
        'image_id,dx\na,nv\n"b",mel\nc,bkl\n',
        "image_id,dx\r\na,nv\nb,mel\r\nc,bkl\r",
        "image_id,dx,\na,nv,\nb,mel,,\nc,bkl,\n",
        'image_id,note,dx\na,"two\nlines, quoted",nv\nb,,mel\nc,"a ""b"" c",bkl\n',
        "image_id,note,dx,note\na,1,nv,2\nb,3,mel,4\nc,5,bkl,6\n",
        " image_id , dx \n a , nv \n b , mel \n c , bkl \n",
        "image_id;dx;age\na;nv;1,5\nb;mel;2,5\nc;bkl;3,5\n",
    ],
    ids=["quotes", "line ends", "trailing", "line in a cell", "doubled header", "spaces", "commas"],
)
def test_texts_of_odd_writers(tmp_path: Path, text: str) -> None:
    lesions(tmp_path)
    (tmp_path / "labels.csv").write_bytes(text.encode())
    cases, problems = find(tmp_path, **BASIC)
    assert not problems
    assert labels(cases) == ["naevus", "melanoma", "keratosis"]


def test_formulas_without_results_are_no_empty_cells(tmp_path: Path) -> None:
    lesions(tmp_path)
    workbook(tmp_path, [("image_id", "dx"), ("a", "nv"), ("b", '=IF(1,"mel","nv")')])
    with pytest.raises(UserError, match="without a result, such as in B3"):
        find(tmp_path, table="labels.xlsx", **BASIC)


def test_a_formula_may_result_in_nothing(tmp_path: Path) -> None:
    lesions(tmp_path)
    workbook(tmp_path, [("image_id", "dx"), ("a", "nv"), ("b", '=IF(0,"mel","")')])
    with zipfile.ZipFile(tmp_path / "labels.xlsx") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "labels.xlsx", "w") as archive:
        for name, content in parts.items():  # as Excel and LibreOffice write an empty text
            archive.writestr(name, content.replace(b'<c r="B3">', b'<c r="B3" t="str">'))
    cases, _ = find(tmp_path, table="labels.xlsx", **BASIC)
    assert labels(cases) == ["naevus", ""]


def test_damaged_workbooks_are_told(tmp_path: Path) -> None:
    lesions(tmp_path)
    workbook(tmp_path, [("image_id", "dx"), *((f"a{i}", "nv") for i in range(30))])
    whole = (tmp_path / "labels.xlsx").read_bytes()
    for at in range(40, len(whole), len(whole) // 40):
        (tmp_path / "labels.xlsx").write_bytes(whole[:at] + b"\xff\0\xff" + whole[at + 3 :])
        with contextlib.suppress(UserError):
            list(open_table(tmp_path / "labels.xlsx", ["image_id"]).lines)


def test_lists_of_numbers_in_a_cell_are_texts() -> None:
    cells = [np.array([1, 2]), np.array([1.0, 2.5]), np.array(["a", "b"], object), np.int64(3)]
    assert list(map(_text, cells)) == ["1|2", "1|2.5", "a|b", "3"]


def test_zeros_that_a_sheet_shows_before_a_number_are_of_the_name(tmp_path: Path) -> None:
    lesions(tmp_path, files=["images/0012.jpg", "images/0345.jpg"])
    workbook(tmp_path, [("image_id", "dx"), (12, "nv"), (345, "mel")])
    book = openpyxl.load_workbook(tmp_path / "labels.xlsx")
    for cell in ("A2", "A3"):
        book.worksheets[0][cell].number_format = "0000"
    book.save(tmp_path / "labels.xlsx")
    assert list(find(tmp_path, table="labels.xlsx", **BASIC)[0]) == ["0012", "0345"]


def test_hidden_rows_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lesions(tmp_path)
    workbook(tmp_path, [("image_id", "dx"), ("a", "nv"), ("b", "mel")])
    book = openpyxl.load_workbook(tmp_path / "labels.xlsx")
    book.worksheets[0].row_dimensions[3].hidden = True
    book.save(tmp_path / "labels.xlsx")
    assert len(find(tmp_path, table="labels.xlsx", **BASIC)[0]) == 2
    assert "1 hidden row(s) count" in caplog.text


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("#N/A", "line 3: has #N/A in column patient: a formula that failed"),
        ("n/a", "line 3: has no patient: n/a"),
        ("NaN", "line 3: has no patient: NaN"),
        ("1.23457E+11", "line 3: has 1.23457E+11 as its patient: a spreadsheet has shortened"),
        ("1,2E+08", "a spreadsheet has shortened a long number"),
    ],
)
def test_what_spreadsheets_make_of_names_joins_no_groups(
    tmp_path: Path, cell: str, message: str
) -> None:
    lesions(tmp_path, f'image_id,dx,patient\na,nv,P1\nb,mel,"{cell}"\nc,nv,"{cell}"\n')
    columns = {"file": "image_id", "label": "dx", "group": "patient"}
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        find(tmp_path, columns=columns, values=VALUES)
    assert "->" in str(caught.value)


def test_what_is_not_known_of_a_case_is_no_attribute(tmp_path: Path) -> None:
    lesions(tmp_path, "image_id,dx,site\na,nv,n/a\nb,nv,arm\nc,nv,NaN\n")
    cases, _ = find(tmp_path, **BASIC, attributes=["site"])
    assert [dict(case.attributes) for case in cases.values()] == [{}, {"site": "arm"}, {}]


@pytest.mark.parametrize("name", ["0012", "1-2", "123456789012"])
def test_a_name_that_a_spreadsheet_changed_is_not_found_and_so_told(
    tmp_path: Path, name: str
) -> None:
    lesions(tmp_path, files=[f"images/{name}.jpg"])
    became = {"0012": 12, "1-2": datetime.datetime(2024, 2, 1)}.get(name, 1.23457e11)
    workbook(tmp_path, [("image_id", "dx"), (became, "nv")])
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(UserError, match="names no file that is there"):
        find(tmp_path, table="labels.xlsx", **BASIC)


def test_a_thousand_is_no_vote(tmp_path: Path) -> None:
    lesions(tmp_path, 'image_id,dx,votes\na,nv,"1,000"\n')
    columns = {"file": "image_id", "label": "dx", "votes": "votes"}
    with pytest.raises(UserError, match="unknown votes '1,000'"):
        find(tmp_path, columns=columns, values=VALUES)


PYARROW = Path(__file__).parents[2] / ".parquet"


@pytest.mark.slow
def test_parquet_with_its_library_from_a_folder_of_its_own() -> None:
    """Where it is installed, pandas uses it for all texts: not in the environment of the tests."""
    if not PYARROW.exists():
        pytest.skip("needs pyarrow (pip install --no-deps --target .parquet pyarrow)")
    command = [sys.executable, "-m", "pytest", "-q", f"{__file__}::test_parquet"]
    environment = os.environ | {"PYTHONPATH": str(PYARROW)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    frame = pd.DataFrame(
        {
            "image_id": ["a", "b", "c"],
            "dx": pd.Categorical(["nv", "mel", "bkl"]),
            "patient": [1, 1, 2],
            "age": [63.0, None, 12.5],
            "site": ["back", None, "arm"],
            "votes": pd.array([3, None, 0], "Int64"),
            "seen": pd.to_datetime(["2024-01-02", None, "2024-01-03 10:00"], format="mixed"),
        }
    )
    lesions(tmp_path)
    (tmp_path / "labels.csv").unlink()
    frame.to_parquet(tmp_path / "labels.parquet")
    columns = {"file": "image_id", "label": "dx", "group": "patient"}
    known = ["age", "site", "votes", "seen"]
    cases, problems = find(
        tmp_path, table="labels.parquet", columns=columns, values=VALUES, attributes=known
    )
    assert not problems
    assert labels(cases) == ["naevus", "melanoma", "keratosis"]
    assert [case.group for case in cases.values()] == ["1", "1", "2"]
    assert [dict(case.attributes) for case in cases.values()] == [
        {"age": "63", "site": "back", "votes": "3", "seen": "2024-01-02"},
        {},
        {"age": "12.5", "site": "arm", "votes": "0", "seen": "2024-01-03 10:00:00"},
    ]
    frame["several"] = [["nv"], ["nv", "mel"], []]
    frame.to_parquet(tmp_path / "labels.parquet")
    columns = {"file": "image_id", "label": "several", "separator": "|"}
    cases, _ = find(
        tmp_path, table="labels.parquet", columns=columns, values=VALUES, task=Task.MULTILABEL
    )
    assert labels(cases) == ["naevus", "naevus|melanoma", ""]
    frame.set_index("image_id").to_parquet(tmp_path / "labels.parquet")
    assert open_table(tmp_path / "labels.parquet").header == list(frame.columns)
    whole = (tmp_path / "labels.parquet").read_bytes()
    (tmp_path / "labels.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is no Parquet"):
        find(tmp_path, table="labels.parquet", columns=columns, values=VALUES)


def test_parquet_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lesions(tmp_path)
    (tmp_path / "labels.parquet").write_bytes(b"PAR1")

    def lacking(*_: object) -> None:
        raise ImportError("no engine")

    monkeypatch.setattr(pd, "read_parquet", lacking)
    with pytest.raises(UserError, match="pip install pyarrow, or save it as CSV"):
        find(tmp_path, table="labels.parquet", **BASIC)


# --- what can't be trusted


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table": "lables.csv"}, "there is no lables.csv\n  -> did you mean labels.csv?"),
        ({"columns": {"file": "image", "label": "dx"}},
         "lacks the column(s) image\n  -> did you mean image_id?"),
        ({"channels": ["CT"]}, "index.channels are CT, and the columns are those of one file"),
        ({"columns": {"file": {"CT": "image_id"}, "label": "dx"}},
         "index.channels are none, and the columns are those of CT"),
        ({"columns": {"label": "dx"}}, "one of file and pattern has to be set"),
        ({"columns": {"pattern": "a.jpg", "label": "dx"}}, "names no column"),
        ({"columns": {"pattern": "{image_id}_{channel}.nii", "label": "dx"}}, "don't fit together"),
        ({"columns": {"pattern": "photos/{image_id}.jpg", "label": "dx"}},
         "the first that was looked for is photos/a.jpg\n  -> the most alike is images/a.jpg"),
        ({"values": {"nv": "naevus", "mel": "melanoma"}},
         "line 4: unknown dx 'bkl'"),
        ({"values": {"nv": "nevus"}}, "'nevus' is no class"),
        ({"columns": {"file": "image_id", "label": "dx", "partition": "site"}},
         "line 2: unknown site 'back'"),
        ({"columns": {"file": "image_id", "label": ["dx"]}}, "no column for naevus"),
        ({"attributes": ["scanner"]}, "lacks the column(s) scanner"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit(tmp_path: Path, changes: dict, message: str) -> None:
    lesions(tmp_path)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        find(tmp_path, **BASIC | changes)
    assert "->" in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,nv\na,mel\n", "line 3: a has dx 'mel', but 'nv' in line 2"),
        ("a,nv\n,mel\n", "line 3: has no image_id"),
        ("a\n", "line 2: has 1 cells, the header has 2"),
        ("a,mell\n", "did you mean mel? allowed are"),
        ("", "has no rows"),
    ],
)
def test_rows_that_can_not_be_trusted(tmp_path: Path, rows: str, message: str) -> None:
    lesions(tmp_path, f"image_id,dx\n{rows}")
    with pytest.raises(UserError, match=re.escape(message)):
        find(tmp_path, **BASIC)


def test_odd_attributes_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lesions(tmp_path, "image_id,dx,site,age,sex\na,nv,X,411Y,m\nb,nv,X,,f\nc,nv,X,,\n")
    cases, _ = find(tmp_path, **BASIC, attributes=["site", "age", "sex"])
    assert cases["b"].attributes == {"site": "X", "sex": "F"}
    assert "attribute site (column site) is always X" in caplog.text
    assert "attribute age (column age): only 0 of 3 rows have it: fill it in, or" in caplog.text
    assert caplog.text.count(f"{tmp_path}/labels.csv: attribute") == 2
    assert caplog.text.count("take it out of index.attributes") == 2
    assert "1 age(s) are left out, for example '411Y' in line 2" in caplog.text


def test_a_table_can_not_name_files_outside(tmp_path: Path) -> None:
    save(noise(1), tmp_path / "secret.png")
    raw = tmp_path / "raw"
    lesions(raw, f"image_id,dx\na,nv\n../secret.png,nv\n{tmp_path}/secret.png,nv\n")
    assert list(find(raw, **BASIC)[0]) == ["a"]
    columns = {"pattern": "{image_id}.png", "label": "dx"}
    with pytest.raises(UserError, match="names no file that is there"):
        find(raw, columns=columns, values=VALUES)


@given(st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".xlsx"]))
@hypothesis_settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_are_a_table_or_a_message(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"labels{suffix}"
    path.write_bytes(b"image_id,dx\n" + content if suffix != ".xlsx" else content)
    with contextlib.suppress(UserError):
        find(tmp_path, table=path.name, **BASIC)
    path.unlink()


def test_the_task_reaches_the_reader() -> None:
    block = {"reader": "table", "classes": CLASSES, "group": None, "task": "multiclass"}
    block |= {"max_quarantined": 0.1, "min_slices": 1}
    assert parse(IndexSettings, json.dumps(block)).task is Task.MULTICLASS
