"""Workbooks, and what spreadsheets make of names, numbers and empty cells."""

from __future__ import annotations

import contextlib
import datetime
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from lesion_tables import BASIC, VALUES, find, labels, lesions
from triage.data.readers.table_files import _text, open_table
from triage.errors import UserError


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
