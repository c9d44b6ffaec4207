"""Pictures in folders of their classes, with their groups and partitions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from picture_reading import CHEST, CHEST_GROUP, LESIONS, POLYPS
from picture_sets import find, write, write_mhist
from scans import make_index
from triage.errors import UserError


def test_chest_xray_is_found_with_its_patients(tmp_path: Path) -> None:
    train, test = "chest_xray/train", "chest_xray/test"
    names = [
        f"{train}/NORMAL/IM-0115-0001.jpeg",
        f"{train}/NORMAL/IM-0115-0001-0002.jpeg",
        f"{train}/NORMAL/NORMAL2-IM-0501-0001.jpeg",
        f"{train}/PNEUMONIA/person12_bacteria_45.jpeg",
        f"{train}/PNEUMONIA/person12_virus_46.jpeg",
        "chest_xray/val/NORMAL/NORMAL2-IM-1427-0001.jpeg",
        f"{test}/PNEUMONIA/person1_virus_6.jpeg",
        f"{test}/unknown_7.jpeg",
    ]
    write(tmp_path, names)
    cases, problems = find(tmp_path, "folders", CHEST, CHEST_GROUP)
    assert not problems
    assert {name: case.group for name, case in cases.items()} == {
        "IM-0115-0001": "IM-0115",
        "IM-0115-0001-0002": "IM-0115",
        "NORMAL2-IM-0501-0001": "NORMAL2-IM-0501",
        "person12_bacteria_45": "person12",
        "person12_virus_46": "person12",
        "NORMAL2-IM-1427-0001": "NORMAL2-IM-1427",
        "person1_virus_6": "person1",
        "unknown_7": "unknown_7",
    }
    assert cases["person1_virus_6"].partition == "test"
    assert cases["NORMAL2-IM-1427-0001"].partition == "val"
    assert (cases["unknown_7"].label, cases["unknown_7"].partition) == ("", "test")


def test_folders_may_have_no_partitions(tmp_path: Path) -> None:
    write(tmp_path, ["MEL/a.jpg", "NV/b.JPG"])
    cases, problems = find(tmp_path, "folders", LESIONS)
    assert [(case.label, case.partition) for case in cases.values()] == [("MEL", ""), ("NV", "")]
    assert not problems


def test_pictures_a_folder_deeper_are_of_the_class_above(tmp_path: Path) -> None:
    deeper = ["train/PNEUMONIA/BACTERIA/b.jpeg", "train/PNEUMONIA/VIRUS/c.jpeg"]
    write(tmp_path, ["train/NORMAL/a.jpeg", *deeper, "test/PNEUMONIA/d.jpeg"])
    cases, problems = find(tmp_path, "folders", CHEST)
    assert not problems
    assert {name: (case.partition, case.label) for name, case in cases.items()} == {
        "a": ("train", "NORMAL"),
        "b": ("train", "PNEUMONIA"),
        "c": ("train", "PNEUMONIA"),
        "d": ("test", "PNEUMONIA"),
    }


def test_a_group_pattern_that_fits_no_name_stops(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["NORMAL/NORMAL-1-1.jpeg", "PNEUMONIA/BACTERIA-2-1.jpeg", "PNEUMONIA/VIRUS-3-1.jpeg"]
    write(tmp_path / "raw", names)
    settings = {"reader": "folders", "classes": CHEST, "min_slices": 1}
    with pytest.raises(UserError, match="finds no group in any of 3 names"):
        make_index(tmp_path / "raw", group=CHEST_GROUP, **settings)
    with caplog.at_level("WARNING"):
        make_index(tmp_path / "raw", group=r"NORMAL-(\d)", **settings)
    assert "no group in 2 of 3 names" in caplog.text


def test_copies_of_the_archive_in_the_archive_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, ["x/train/NORMAL/a.jpeg", "x/train/PNEUMONIA/b.jpeg"])
    write(tmp_path, ["x/x/train/NORMAL/a.jpeg", "x/x/train/PNEUMONIA/b.jpeg"])
    cases, problems = find(tmp_path, "folders", CHEST)
    assert {case.files["image"] for case in cases.values()} == {
        "x/train/NORMAL/a.jpeg",
        "x/train/PNEUMONIA/b.jpeg",
    }
    assert [problem.file for problem in problems] == [
        "x/x/train/NORMAL/a.jpeg",
        "x/x/train/PNEUMONIA/b.jpeg",
    ]


def test_what_is_no_picture_or_in_no_class_is_reported(tmp_path: Path) -> None:
    write(tmp_path, ["train/NV/a.jpg", "train/MEL/b.jpg", "overview.png", "train/loose.png"])
    (tmp_path / "train/NV/notes.txt").write_text("no picture")
    (tmp_path / "README.txt").write_text("of no matter")
    _, problems = find(tmp_path, "folders", LESIONS)
    assert {problem.file for problem in problems} == {
        "overview.png",
        "train/loose.png",
        "train/NV/notes.txt",
    }


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["train/NORMAL/a.jpg", "train/Pneumonia/b.jpg"], "'Pneumonia' is no class"),
        (["NORMAL/a.jpg", "Pneumonia/b.jpg"], "'Pneumonia' is no class"),
        (["train/NORMAL/a.jpg", "validation/PNEUMONIA/b.jpg"], "'validation' is none of train"),
        (["train/NORMAL/a.jpg", "train/PNEUMONIA/a.jpg"], "more than one picture"),
        (["train/NORMAL/a.jpg", "test/NORMAL/a.jpg"], "more than one picture"),
        (["notes.txt"], "no pictures found"),
    ],
)
def test_misplaced_pictures_stop_with_a_message(
    tmp_path: Path, files: list[str], message: str
) -> None:
    write(tmp_path, [file for file in files if file.endswith("jpg")])
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        find(tmp_path, "folders", CHEST)
    assert "->" in str(caught.value)


def test_lesions_of_ham10000_are_groups(tmp_path: Path) -> None:
    write(tmp_path, ["train/MEL/ISIC_1.jpg", "train/MEL/ISIC_2.jpg", "train/NV/ISIC_3.jpg"])
    (tmp_path / "HAM10000_metadata.csv").write_text(
        "lesion_id,image_id,dx,dx_type,age,sex,localization\n"
        "HAM_7,ISIC_1,mel,histo,70.0,female,back\n"
        "HAM_7,ISIC_2,mel,histo,70.0,female,back\n"
        "HAM_9,ISIC_4,bkl,histo,,unknown,back\n"
    )
    cases, problems = find(tmp_path, "folders", LESIONS)
    assert [case.group for case in cases.values()] == ["HAM_7", "HAM_7", "ISIC_3"]
    assert cases["ISIC_1"].attributes == {"age": "70", "sex": "F"}
    assert not problems


def test_the_table_of_lesions_may_be_separated_by_tabs(tmp_path: Path) -> None:
    write(tmp_path, ["train/MEL/ISIC_1.jpg", "val/MEL/ISIC_2.jpg", "train/NV/ISIC_3.jpg"])
    rows = ["HAM_1\tISIC_1\tmel", "HAM_1\tISIC_2\tmel", "HAM_2\tISIC_3\tnv"]
    cells = ['"' + row.replace("\t", '"\t"') + '"' for row in rows]
    text = "\n".join(["lesion_id\timage_id\tdx", *cells])
    (tmp_path / "HAM10000_metadata.tab").write_text(text)
    cases, _ = find(tmp_path, "folders", LESIONS)
    assert {name: case.group for name, case in cases.items()} == {
        "ISIC_1": "HAM_1",
        "ISIC_2": "HAM_1",
        "ISIC_3": "HAM_2",
    }


def test_a_diagnosis_that_contradicts_the_folder_stops(tmp_path: Path) -> None:
    write(tmp_path, ["train/MEL/ISIC_1.jpg", "train/NV/ISIC_2.jpg"])
    text = "lesion_id,image_id,dx\nHAM_1,ISIC_1,nv\n"
    (tmp_path / "HAM10000_metadata.csv").write_text(text)
    with pytest.raises(UserError, match=r"line 2: ISIC_1 is NV here"):
        find(tmp_path, "folders", LESIONS)


def test_bad_pictures_are_quarantined_and_the_rest_goes_on(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    rows = [f"MHIST_aa{letter}.png,{('HP', 'SSA')[i % 2]},{7 * (i % 2)},train"
            for i, letter in enumerate("abcdefgh")]  # fmt: skip
    write_mhist(raw, rows)
    (raw / "images/MHIST_aab.png").write_bytes(b"")
    content = (raw / "images/MHIST_aac.png").read_bytes()
    (raw / "images/MHIST_aac.png").write_bytes(content[:-20])
    (raw / "images/MHIST_aad.png").unlink()
    made = make_index(raw, reader="annotations", classes=POLYPS, min_slices=1)
    assert [row["case"] for row in made.rows()] == [f"MHIST_aa{letter}" for letter in "aefgh"]
    assert {problem.case for problem in made.problems} == {f"MHIST_aa{each}" for each in "bcd"}
