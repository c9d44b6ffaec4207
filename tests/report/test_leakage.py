"""What is excluded, and because of which other case; what is joined, and by what."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.files import write_rows
from triage.pseudonyms import shown
from triage.report import leakage


@pytest.mark.parametrize("pseudonyms", [False, True])
def test_excluded_cases_are_told_with_reason_and_twin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pseudonyms: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    columns = ("case", "group", "part", "images", "reason", "twin")
    lines = [
        ("kept", "A", "excluded", "1", "the source keeps it for testing", ""),
        ("one", "B", "excluded", "2", "the same file", "other"),
        ("other", "B", "test", "2", "", ""),
        ("third", "C", "excluded", "3", "the same group", "fourth"),
        ("fourth", "C", "test", "4", "", ""),
        ("twin", "D", "train", "5", "", ""),
        ("twin2", "D", "train", "5", "", ""),
    ]
    groups = [dict(zip(columns, line, strict=True)) for line in lines]
    write_rows(groups, columns, tmp_path / "groups.csv")
    known = {
        row["case"]: {"group": row["group"] if row["group"] == "C" else row["case"], "sha256": sha}
        for row, sha in zip(groups, "abbcdef", strict=True)
    }
    parts = {row["case"]: row["part"] for row in groups}
    found = leakage.read_leakage(tmp_path / "groups.csv", known, parts, pseudonyms)
    reasons, excluded, joined = (
        [[cell.text for cell in row] for row in table.rows]
        for table in (found.reasons, found.excluded, found.joined)
    )
    assert reasons == [
        ["the source keeps it for testing", "1"],
        ["the same file", "1"],
        ["the same group", "1"],
    ]

    def name(case: str) -> str:
        return shown(case, pseudonyms)

    assert excluded == [
        [name("one"), "the same file", name("other"), "test"],
        [name("third"), "the same group", name("fourth"), "test"],
        [name("kept"), "the source keeps it for testing", "", ""],
    ]
    assert joined == [
        [f"{name('one')}, {name('other')}", "2", "2", "the same files",
         "1 excluded, the rest in test"],
        [f"{name('twin')}, {name('twin2')}", "2", "2", "the same pictures", "all in train"],
    ]  # fmt: skip
    assert found.sets == 2
    assert leakage.in_words(leakage.read_reasons(tmp_path / "groups.csv")) == (
        "Excluded cases, each with its reason and its twin in groups.csv: the same file (1), "
        "the same group (1) and the source keeps it for testing (1)."
    )
    assert leakage.in_words({}) == ""
