"""Pairs that show the same: which there are, how far apart they are, and the sheet of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from results_tree import write_shard
from triage.data.image_store import Images
from triage.figures import style, twins
from triage.files import read_rows, write_rows

MARKS = {
    "a": "ff" * 32,
    "b": "fe" + "ff" * 31,
    "c": "00" * 32,
    "d": "01" + "00" * 31,
    "e": "",
    "f": "",
}
GROUPS = {"a": "P1", "b": "P2", "c": "P3", "d": "P4", "e": "P5", "f": "P5"}
COLUMNS = ["case", "group", "reason", "twin"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of six cases; a is left out for b, c and d are joined, e is left out for f."""
    rng = np.random.default_rng(0)
    images = {case: rng.integers(0, 255, (1, 3, 20, 30), np.uint8) for case in MARKS}
    write_shard(tmp_path / "shard", images)
    rows = [row | {"fingerprint": MARKS[row["case"]]} for row in read_rows(tmp_path / "shard.csv")]
    write_rows(rows, list(rows[0]), tmp_path / "shard.csv")
    joined = {"a": "P1", "b": "P1", "c": "P3", "d": "P3", "e": "P5", "f": "P5"}
    why = {"a": ("nearly the same", "b"), "e": ("the same group", "f")}
    lines = [(case, joined[case], *why.get(case, ("", ""))) for case in MARKS]
    found = [dict(zip(COLUMNS, line, strict=True)) for line in lines]
    write_rows(found, COLUMNS, tmp_path / "groups.csv")
    return tmp_path


def pairs(folder: Path) -> list[twins.Pair]:
    cases = [{"case": case, "group": group} for case, group in GROUPS.items()]
    return twins.read_pairs(folder / "groups.csv", [folder / "shard.csv"], cases)


def test_pairs_are_told_with_reason_and_distance(folder: Path) -> None:
    assert pairs(folder) == [
        ("a", "b", "left out: nearly the same", 1),
        ("c", "d", "their groups are joined", 1),
        ("e", "f", "left out: the same group", None),
    ]


def test_the_sheet_names_both_and_says_what_it_does_not_show(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twins, "MOST", 2)
    images = Images.open([folder / "shard.npy"], [folder / "shard.csv"])
    sheet = twins.figure(pairs(folder), images, lambda case: f"case-{case}")
    titles = [ax.get_title() for ax in sheet.axes]
    assert titles[0] == "case-a | case-b\nleft out: nearly the same\n1 of 256 bits differ"
    assert len(titles) == 2
    assert [text.get_text() for text in sheet.texts] == ["1 more pairs in groups.csv"]
    shown = sheet.axes[0].images[0].get_array()
    assert shown is not None
    assert shown.shape == (22, 64, 3)
    with style.styled():
        style.save(sheet, folder / "twins.png")
    assert (folder / "twins.png").stat().st_size > 500


def test_without_pairs_it_says_so(folder: Path) -> None:
    images = Images.open([folder / "shard.npy"], [folder / "shard.csv"])
    (text,) = twins.figure([], images, str).texts
    assert "no case is left out" in text.get_text()
