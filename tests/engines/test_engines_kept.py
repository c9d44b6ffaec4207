"""Tables that only grow, of consent and of folds: a row or a table that is lost is found."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from triage_workflow.engines import kept
from triage_workflow.engines.stages import Stages

from triage.data import withdrawn
from triage.errors import UserError
from triage.files import read_rows, write_rows
from triage.training import consent

ROOT = Path(__file__).parents[2]
RECORD, FOLDS = Path("data/beta/consent.csv"), Path("data/beta/folds.csv")


def row(case: str) -> consent.Row:
    path = f"results/beta/training/cnn/fold0-seed{len(case)}/checkpoint.pt"
    return {"case": case, "partition": "train", "checkpoint": path, "md5": "0" * 32, "commit": ""}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(kept.provide(["beta"])) == []


def test_rows_are_added_and_nothing_is_written_over() -> None:
    assert consent.add([row("P2")], RECORD) == [row("P2")]
    before = RECORD.read_text()
    assert consent.add([row("P2"), row("P1")], RECORD) == [row("P1")]
    assert RECORD.read_text().startswith(before)
    assert consent.add([row("P1")], RECORD) == []
    assert read_rows(RECORD) == [row("P2"), row("P1")]
    assert list(kept.provide(["beta"])) == []
    assert read_rows(RECORD) == [row("P2"), row("P1")]


def test_a_copy_of_a_withdrawn_case_counts_as_withdrawn() -> None:
    sums = {"P1": "a", "P2": "b", "P3": "a", "P4": "c"}
    manifest = [{"case": case, "sha256": content} for case, content in sums.items()]
    assert withdrawn.copies({"P1", "P2", "gone"}, manifest) == {"P3"}
    assert withdrawn.copies(set(), manifest) == set()


def test_a_near_copy_counts_where_groups_are_known(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    reasons = {"P1": withdrawn.NEAR_WITHDRAWN, "P2": "the same file", "P3": ""}
    rows = [{"case": case, "reason": reason} for case, reason in reasons.items()]
    write_rows(rows, ["case", "reason"], table)
    assert withdrawn.near_copies(table) == {"P1"}


def test_the_files_of_withdrawn_cases_are_sealed(tmp_path: Path) -> None:
    table, found = tmp_path / "withdrawn.csv", [withdrawn.Withdrawn({"image": "a.png"}, ["a.png"])]
    withdrawn.write(found, table)
    assert withdrawn.read_files(table) == found
    table.write_text(table.read_text().replace("a.png", "b.png"))
    with pytest.raises(UserError, match="is damaged: row 1 is not what was written"):
        withdrawn.read_files(table)


def test_no_engine_owns_them() -> None:
    stages = Stages.read(ROOT / "dvc.yaml")
    assert stages.of("data/mhist/manifest.csv")
    assert stages.of("data/mhist/consent.csv") is None
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert "--consent data/{study}/consent.csv" in rules  # named in a command alone
    assert "consent=" not in rules


def commit() -> None:
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        names = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *names, *command], check=True)


@pytest.mark.parametrize("damage", ["emptied", "shortened"])
@pytest.mark.parametrize("known", ["here", "to git"])
def test_a_lost_row_is_found_and_put_back(damage: str, known: str) -> None:
    consent.add([row("P1"), row("P2")], RECORD)
    FOLDS.write_text("group,fold\naa,1\nbb,0\n")
    if known == "here":
        kept.keep()
    else:
        commit()
    for path in (RECORD, FOLDS):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:1] if damage == "emptied" else lines[:-1]))
    (path, missing, whole), (folds, groups, all_folds) = kept.lost()
    assert (path, folds) == (RECORD, FOLDS)
    assert missing == ([row("P2")] if damage == "shortened" else [row("P1"), row("P2")])
    assert {"group": "bb", "fold": "0"} in groups
    RECORD.write_bytes(whole.read_bytes())
    FOLDS.write_bytes(all_folds.read_bytes())
    assert list(kept.lost()) == []


def test_rows_that_differ_in_their_last_cell_alone_are_two() -> None:
    rows = [row("DOE, JOHN") | {"commit": commit} for commit in ("aa", "bb")]
    assert consent.add(rows, RECORD) == rows
    kept.keep()
    RECORD.write_text("".join(RECORD.read_text().splitlines(keepends=True)[:-1]))
    ((_, missing, whole),) = kept.lost()
    assert missing == rows[1:]
    assert read_rows(whole) == rows


@pytest.mark.parametrize("known", ["here", "to git"])
def test_a_table_that_is_gone_is_put_back(known: str) -> None:
    consent.add([row("P1")], RECORD)
    FOLDS.write_text("group,fold\naa,1\n")
    before = RECORD.read_bytes(), FOLDS.read_bytes()
    if known == "here":
        kept.keep()
    else:
        commit()
    RECORD.unlink()
    FOLDS.unlink()
    assert list(kept.provide(["beta"])) == [RECORD, FOLDS]
    assert (RECORD.read_bytes(), FOLDS.read_bytes()) == before


def test_a_fold_that_was_changed_by_hand_is_no_loss() -> None:
    FOLDS.write_text("group,fold\naa,1\n")
    kept.keep()
    FOLDS.write_text("group,fold\naa,2\n")
    assert list(kept.lost()) == []
    FOLDS.unlink()
    assert list(kept.provide(["beta"])) == [FOLDS]
    assert FOLDS.read_text() == "group,fold\naa,2\n"


def test_rows_that_two_people_add_are_all_kept_by_a_merge() -> None:
    Path(".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    FOLDS.write_text("group,fold\naa,1\n")
    commit()
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "branch", "before"], check=True)
    for case, group in (("P1", "cc"), ("P2", "bb")):
        subprocess.run([*git, "checkout", "-qb", case, "before"], check=True)
        consent.add([row(case)], RECORD)
        FOLDS.write_text(f"group,fold\naa,1\n{group},0\n")
        subprocess.run([*git, "commit", "-qam", case], check=True)
    subprocess.run([*git, "merge", "-q", "P1", "-m", "both"], check=True)
    assert sorted(each["case"] for each in read_rows(RECORD)) == ["P1", "P2"]
    assert {each["group"] for each in read_rows(FOLDS)} == {"aa", "bb", "cc"}
