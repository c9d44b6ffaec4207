"""The table of MHIST: votes and partitions, and every bad table with its message."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from picture_reading import ALL_FINDINGS, POLYPS
from picture_sets import MHIST_HEADER, find, noise, save, write_mhist
from triage.errors import UserError

VOTED = [
    "MHIST_aaa.png,SSA,6,train",
    "MHIST_aab.png,HP,0,train",
    "MHIST_aac.png,HP,3,test",
]


def test_mhist_votes_and_partitions(tmp_path: Path) -> None:
    write_mhist(tmp_path, VOTED)
    cases, problems = find(tmp_path, "annotations", POLYPS)
    assert not problems
    assert [(case.label, case.votes, case.partition) for case in cases.values()] == [
        ("SSA", 6, "train"),
        ("HP", 0, "train"),
        ("HP", 3, "test"),
    ]
    assert [case.group for case in cases.values()] == list(cases)


def test_cases_of_names_are_groups(tmp_path: Path) -> None:
    names = ["EBHI_GTXC2012114-1-400-001.png", "EBHI_GTxc2012114-2-400-001.png"]
    write_mhist(tmp_path, [f"{name},HP,0,train" for name in names])
    cases, _ = find(tmp_path, "annotations", POLYPS, r"GT[A-Za-z]*(\d+)")
    assert [case.group for case in cases.values()] == ["2012114", "2012114"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("MHIST_aad.png,SSA,8,train", "line 5: unknown Number of Annotators"),
        ("MHIST_aad.png,HP,-1,train", "line 5: unknown Number of Annotators"),
        ("MHIST_aad.png,HP,,train", "line 5: unknown Number of Annotators"),
        ("MHIST_aad.png,HP,1.5,train", "line 5: unknown Number of Annotators"),
        ("MHIST_aad.png,HP,nan,train", "line 5: unknown Number of Annotators"),
        ("MHIST_aad.png,HP,5,train", "line 5: the label is HP, but 5 of 7 selected SSA"),
        ("MHIST_aad.png,ssa,7,train", "line 5: unknown Majority Vote Label 'ssa'"),
        ("MHIST_aad.png,HP,0,training", "line 5: unknown Partition 'training'"),
        ("MHIST_aad.png,HP,0,", "line 5: unknown Partition ''"),
        ("MHIST_aad.png,HP,0", "line 5: has 3 cells, the header has 4"),
        ("MHIST_aaa.png,HP,0,train", "line 5: MHIST_aaa.png has Majority Vote Label 'HP'"),
        ("MHIST_aaa.png,SSA,6,test", "line 5: MHIST_aaa.png has Partition 'test'"),
        ('"MHIST_aad.png,HP,0,train', "line 5: is no CSV"),
    ],
)
def test_mhist_rows_that_cannot_be_trusted(tmp_path: Path, row: str, message: str) -> None:
    write_mhist(tmp_path, VOTED)
    with open(tmp_path / "annotations.csv", "a") as table:
        table.write(row + "\n")
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        find(tmp_path, "annotations", POLYPS)
    assert "->" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("Partition", "Part"), "lacks the column(s) Partition"),
        (lambda text: text.replace("Partition", "Partition,Partition"), "Partition twice"),
        (lambda text: text.replace("HP", "\0"), "holds zero bytes"),
        (lambda text: "", "lacks the column(s)"),
    ],
)
def test_tables_that_cannot_be_trusted(tmp_path: Path, change, message: str) -> None:
    write_mhist(tmp_path, VOTED)
    table = tmp_path / "annotations.csv"
    table.write_text(change(table.read_text()))
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        find(tmp_path, "annotations", POLYPS)
    assert str(table) in str(caught.value)
    assert "->" in str(caught.value)


def test_a_table_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    write_mhist(tmp_path, VOTED)
    text = "\n".join([MHIST_HEADER + ",Müller", *VOTED])
    (tmp_path / "annotations.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="is not in UTF-8"):
        find(tmp_path, "annotations", POLYPS)


def test_there_must_be_one_table(tmp_path: Path) -> None:
    write_mhist(tmp_path, VOTED)
    write_mhist(tmp_path / "old", VOTED)
    with pytest.raises(UserError, match=r"several tables: annotations.csv, old/annotations.csv"):
        find(tmp_path, "annotations", POLYPS)
    with pytest.raises(UserError, match="there is no Data_Entry_2017"):
        find(tmp_path, "nih", ALL_FINDINGS)


def test_a_table_cannot_name_files_outside(tmp_path: Path) -> None:
    save(noise(1), tmp_path / "secret.png")
    write_mhist(tmp_path / "raw", VOTED)
    with open(tmp_path / "raw/annotations.csv", "a") as table:
        table.write(f"../secret.png,HP,0,train\n{tmp_path}/secret.png,HP,0,train\n")
    cases, problems = find(tmp_path / "raw", "annotations", POLYPS)
    assert len(cases) == 3
    assert len(problems) == 2


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
@hypothesis_settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_is_a_table_or_a_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "annotations.csv").write_bytes(f"{MHIST_HEADER}\n{text}".encode())
    with contextlib.suppress(UserError):
        cases, _ = find(tmp_path, "annotations", POLYPS)
        assert not cases
