"""Headers and their raw files count as one volume in the index."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from scans import SEQUENCES, make_index, volume, voxels, write, write_patient
from volume_index import BAD_PATIENT, LOCAL


def test_a_header_and_its_raw_file_count_as_one(raw: Path) -> None:
    for name in SEQUENCES:
        (raw / BAD_PATIENT / f"{name}.mha").unlink()
    write_patient(raw / BAD_PATIENT, 1, ".mhd")
    first = make_index(raw).rows()[0]
    assert int(first["size"]) == sum(path.stat().st_size for path in (raw / BAD_PATIENT).iterdir())


def write_headers(
    folder: Path, seed: int, extension: str = ".mhd", data: str = "{}_data.raw"
) -> None:
    """A patient whose headers have raw files of names that people gave them."""
    write_patient(folder, seed, ".mhd")
    for name in SEQUENCES:
        header, own = folder / f"{name}.mhd", folder / data.format(name.lower())
        stored = next(folder / f"{name}.{end}" for end in ("zraw", "raw"))
        stored.rename(own)
        text = header.read_text().replace(stored.name, own.name)
        header.unlink()
        header.with_suffix(extension).write_text(text)


@pytest.mark.parametrize("extension", [".mhd", ".MHD", ".Mhd", ".mha"])
@pytest.mark.parametrize("data", ["{}_data.raw", "{} of 5.bin", "{}"])
def test_a_raw_file_of_any_name_counts_with_its_header(
    raw: Path, extension: str, data: str
) -> None:
    shutil.rmtree(raw / BAD_PATIENT)
    write_headers(raw / BAD_PATIENT, 1, extension, data)
    made = make_index(raw)
    assert made.problems == []
    first = made.rows()[0]
    assert int(first["size"]) == sum(path.stat().st_size for path in (raw / BAD_PATIENT).iterdir())
    write_headers(raw.parent / "other", 2, extension, data)
    name = data.format("t2")
    shutil.copy(raw.parent / "other" / name, raw / BAD_PATIENT / name)
    text = re.sub(
        r"DataSize = .*", r"DataSize = 0", (raw / BAD_PATIENT / f"T2{extension}").read_text()
    )
    (raw / BAD_PATIENT / f"T2{extension}").write_text(text)
    assert make_index(raw).rows()[0]["sha256"] != first["sha256"]


def test_equal_headers_of_differing_raw_files_are_no_copies(raw: Path) -> None:
    for number in (0, 1, 3):
        folder = raw / f"train/full/{'abnormal' if number == 3 else 'normal'}/P{number:02}"
        shutil.rmtree(folder)
        for i, name in enumerate(SEQUENCES):
            write(volume(voxels(10 * number + i)), folder / f"{name}.mhd", compressed=False)
            (folder / f"{name}.raw").rename(folder / f"{name}.img")
            header = (folder / f"{name}.mhd").read_text()
            (folder / f"{name}.mhd").write_text(header.replace(f"{name}.raw", f"{name}.img"))
    made = make_index(raw)
    assert made.problems == []
    assert len({row["sha256"] for row in made.rows()}) == 8


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is empty"),
        (b"ElementDataFile", "is no MetaImage file"),
        (b"ElementDataFile =", LOCAL),
        (b"ElementDataFile = ..", LOCAL),
        (b"ElementDataFile = /etc/passwd", LOCAL),
        (b"ElementDataFile = .hidden.raw", "not hidden"),
        (b"ElementDataFile = LIST", LOCAL),
        (b"ElementDataFile = T1.mha/x", LOCAL),
        (b"ElementDataFile = \0", "which is not beside it"),
        (b"ElementDataFile = caf\xe9.raw", "which is not beside it"),
        (b"ElementDataFile = " + b"x" * 5000, "File name too long"),
        (b"ElementDataFile = T2.mhd", "lacks NDims"),
        (b"ElementDataFile = strange\x01.raw", "can't be read"),
        (bytes(range(256)) * 999, "is no MetaImage file"),
    ],
)
def test_a_damaged_header_is_no_more_than_a_bad_file(raw: Path, text: bytes, words: str) -> None:
    folder = raw / BAD_PATIENT
    (folder / "T2.mha").unlink()
    (folder / "T2.mhd").write_bytes(text)
    (folder / ".hidden.raw").write_bytes(b"x")
    (folder / "strange\x01.raw").write_bytes(b"x")
    made = make_index(raw)
    assert [problem.case for problem in made.problems if problem.case] == ["P00"]
    assert words in next(problem.reason for problem in made.problems if problem.case)
