"""Rows and files without partner, and names that look the same."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from lesion_tables import BASIC, LESIONS, VALUES, find, lesions


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
