"""The reader of any table: every way to name files, labels, groups and partitions."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from lesion_tables import BASIC, CLASSES, LESIONS, VALUES, find, labels, lesions
from triage.errors import UserError


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
