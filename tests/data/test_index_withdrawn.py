"""Withdrawn patients, and what holds a file of theirs, are left out of the index."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import pytest

from scans import make_index, volume, voxels, write
from triage.data.readers import Columns
from triage.errors import UserError
from triage.files import read_rows
from volume_index import BAD_PATIENT, relink


def withdraw(raw: Path, text: str, encoding: str = "utf-8") -> Path:
    table = raw.parent / "withdrawn.csv"
    table.write_bytes(text.encode(encoding))
    return table


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_withdrawn_cases_are_left_out(raw: Path, ending: str, encoding: str) -> None:
    lines = ["case,date,reason", 'P00,2020-01-01,"no, thanks"', "P06 ,,", "unknown,,", ",,", ""]
    table = withdraw(raw, ending.join(lines), encoding)
    cases = [row["case"] for row in make_index(raw, table).rows()]
    assert cases == ["P01", "P02", "P03", "P04", "P05", "P07"]


def test_a_withdrawn_bad_patient_is_not_in_quarantine(raw: Path) -> None:
    (raw / BAD_PATIENT / "T2.mha").unlink()
    made = make_index(raw, withdraw(raw, "case,date,reason\nP00,,\n"))
    assert made.problems == []


def test_what_holds_a_file_of_a_withdrawn_patient_is_left_out_with_it(
    raw: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    shutil.copytree(raw / BAD_PATIENT, raw / "train/full/normal/copy")
    shutil.copytree(raw / BAD_PATIENT, raw / "train/full/abnormal/of another class")
    shutil.copy(raw / BAD_PATIENT / "T2.mha", raw / "final_test_set/P06/T2.mha")
    table = withdraw(raw, "case,date,reason\nP00,,\n")
    made = make_index(raw, table, max_quarantined=0.0)
    assert [row["case"] for row in made.rows()] == ["P01", "P02", "P03", "P04", "P05", "P07"]
    assert len(made.problems) == 3 + 3 + 1
    told = {problem.file: problem.reason for problem in made.problems}
    why = "is a copy of withdrawn case P00: case copy is left out with it"
    assert told["train/full/normal/copy/T1.mha"] == why
    assert f"train/full/normal/copy/T1.mha: {why}" in caplog.text
    assert "case P06" in told["final_test_set/P06/T2.mha"]


def test_files_of_a_withdrawn_case_are_told_whatever_they_are_called(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    names = ("hers", "his", "theirs")
    for seed, name in enumerate(names):
        (raw / "scans").mkdir(parents=True, exist_ok=True)
        write(volume(voxels(seed)), raw / f"scans/{name}.mhd", compressed=False)
    (raw / "scans/hers.raw").rename(raw / "scans/x.raw")
    header = raw / "scans/hers.mhd"
    header.write_text(header.read_text().replace("hers.raw", "x.raw"))
    rows = ["hers,P1,abnormal", "his,P2,abnormal", "theirs,P3,normal"]
    (raw / "labels.csv").write_text("\n".join(["file,patient,label", *rows]) + "\n")
    columns = Columns(file="file", case="patient", label="label")
    table = withdraw(raw, "case,date,reason\nP1,,\n")
    make_index(raw, table, reader="table", table="labels.csv", columns=columns)
    counts = read_rows(tmp_path / "counts.csv")
    gone = {row["kind"]: row["files"] for row in counts if row["use"] == "withdrawn"}
    assert gone == {".mhd": "1", ".raw": "1"}
    written = [tmp_path / f"{name}.csv" for name in ("counts", "quarantine", "manifest", "cases")]
    assert not any("hers" in path.read_text() or "x.raw" in path.read_text() for path in written)
    header.unlink()  # as one does with what is withdrawn; its row may stay
    make_index(raw, table, reader="table", table="labels.csv", columns=columns)
    uses = {(row["use"], row["kind"]) for row in read_rows(tmp_path / "counts.csv")}
    assert ("beside", ".csv") in uses
    assert ("withdrawn", ".csv") not in uses


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_withdrawn_name_may_be_spelt_as_it_was(
    tmp_path: Path, form: Literal["NFC", "NFD"], caplog: pytest.LogCaptureFixture
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for seed, name in enumerate(("hers", "his", "theirs")):
        write(volume(voxels(seed)), raw / f"{name}.mha")
    rows = ["hers,J\u00fcrgen,abnormal", "his,P2,abnormal", "theirs,P3,normal"]
    (raw / "labels.csv").write_text(normalize("NFD", "\n".join(["file,patient,label", *rows])))
    table = withdraw(raw, "case,date,reason\n" + normalize(form, "J\u00fcrgen") + ",,\n")
    columns = Columns(file="file", case="patient", label="label")
    made = make_index(raw, table, reader="table", table="labels.csv", columns=columns)
    assert [row["case"] for row in made.rows()] == ["P2", "P3"]
    assert "is not among the raw data" not in caplog.text


def test_files_that_can_not_be_read_are_no_copies_of_withdrawn_ones(raw: Path) -> None:
    for name in ("P00", "P01"):
        relink(raw / f"train/full/normal/{name}/T2.mha")
    made = make_index(raw, withdraw(raw, "case,date,reason\nP00,,\n"))
    assert {problem.case for problem in made.problems} == {"P01"}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("case;date;reason\nP00;;\n", "utf-8"),
        ("", "utf-8"),
        ("patient\nP00\n", "utf-8"),
        ("case,date,reason\nPäul,,\n", "latin-1"),
        ("case,date,reason\n,2020-01-01,who?\n", "utf-8"),
    ],
)
def test_a_table_of_withdrawals_that_can_not_be_trusted_stops(
    raw: Path, text: str, encoding: str
) -> None:
    with pytest.raises(UserError, match="must be a CSV file"):
        make_index(raw, withdraw(raw, text, encoding))
