"""Records of withdrawn consent are only ever added to, and a row that is lost is found."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from triage_workflow.engines import consents
from triage_workflow.engines.stages import Stages

from triage.data import withdrawn
from triage.files import read_rows
from triage.training import consent

ROOT = Path(__file__).parents[2]
RECORD = Path("data/beta/consent.csv")


def row(case: str) -> consent.Row:
    path = f"results/beta/training/cnn/fold0-seed{len(case)}/checkpoint.pt"
    return {"case": case, "partition": "train", "checkpoint": path, "md5": "0" * 32, "commit": ""}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    consents.provide(["beta"])


def test_rows_are_added_and_nothing_is_written_over() -> None:
    assert consent.add([row("P2")], RECORD) == [row("P2")]
    before = RECORD.read_text()
    assert consent.add([row("P2"), row("P1")], RECORD) == [row("P1")]
    assert RECORD.read_text().startswith(before)
    assert consent.add([row("P1")], RECORD) == []
    assert read_rows(RECORD) == [row("P2"), row("P1")]
    consents.provide(["beta"])
    assert read_rows(RECORD) == [row("P2"), row("P1")]


def test_a_copy_of_a_withdrawn_case_counts_as_withdrawn() -> None:
    sums = {"P1": "a", "P2": "b", "P3": "a", "P4": "c"}
    manifest = [{"case": case, "sha256": content} for case, content in sums.items()]
    assert withdrawn.copies({"P1", "P2", "gone"}, manifest) == {"P3"}
    assert withdrawn.copies(set(), manifest) == set()


def test_no_engine_owns_them() -> None:
    stages = Stages.read(ROOT / "dvc.yaml")
    assert stages.of("data/mhist/manifest.csv")
    assert stages.of("data/mhist/consent.csv") is None
    rules = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert "--consent data/{wildcards.study}/consent.csv" in rules  # named in a command alone
    assert "consent=" not in rules


@pytest.mark.parametrize("damage", ["emptied", "deleted", "shortened"])
@pytest.mark.parametrize("known", ["here", "to git"])
def test_a_lost_row_is_found_and_put_back(damage: str, known: str) -> None:
    consent.add([row("P1"), row("P2")], RECORD)
    if known == "here":
        consents.keep()
    else:
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
            names = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
            subprocess.run(["git", *names, *command], check=True)
    lines = RECORD.read_text().splitlines(keepends=True)
    RECORD.unlink()
    if damage == "emptied":
        consents.provide(["beta"])
    elif damage == "shortened":
        RECORD.write_text("".join(lines[:-1]))
    ((path, missing, kept),) = consents.lost()
    assert path == RECORD
    assert missing == ([row("P2")] if damage == "shortened" else [row("P1"), row("P2")])
    RECORD.write_bytes(kept.read_bytes())
    assert list(consents.lost()) == []
