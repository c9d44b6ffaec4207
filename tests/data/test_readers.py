"""Readers of pictures: every quirk of the real layouts, and every bad table with its message."""

from __future__ import annotations

import contextlib
import re
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from picture_sets import (
    MHIST_HEADER,
    NIH_HEADER,
    find,
    noise,
    save,
    write,
    write_mhist,
    write_nih,
)
from scans import make_index, real_data
from triage.data.readers import BadFile, nih, picture_files
from triage.errors import UserError

CHEST = ("NORMAL", "PNEUMONIA")
LESIONS = ("NV", "MEL")
POLYPS = ("HP", "SSA")
ALL_FINDINGS = (*nih.FINDINGS, nih.NO_FINDING)
ANY_FINDING = (nih.NO_FINDING, nih.ANY_FINDING)
CHEST_GROUP = r"^(person\d+|(?:NORMAL2-)?IM-\d+)"


def reason(path: Path) -> str:
    with pytest.raises(BadFile) as caught:
        picture_files.read(path.parent, path.name)
    assert str(path.parent) not in caught.value.reason
    return caught.value.reason


def pixels(path: Path) -> np.ndarray:
    """A picture as it is decoded, [channels, height, width]."""
    decoded = picture_files.read(path.parent, path.name)
    assert decoded.dtype == np.uint8
    assert len(decoded) == 1
    return decoded[0]


# --- one picture


@pytest.mark.parametrize("extension", [".png", ".tif", ".bmp", ".gif"])
def test_grey_pictures_come_through_exactly(tmp_path: Path, extension: str) -> None:
    image = noise(1)
    assert np.array_equal(pixels(save(image, tmp_path / f"a{extension}"))[0], np.asarray(image))


@pytest.mark.parametrize("extension", [".png", ".tif", ".bmp"])
def test_colours_come_through_exactly(tmp_path: Path, extension: str) -> None:
    image = noise(1, "RGB")
    found = pixels(save(image, tmp_path / f"a{extension}"))
    assert np.array_equal(found, np.asarray(image).transpose(2, 0, 1))


def test_a_grey_jpeg_has_one_channel_and_a_coloured_one_three(tmp_path: Path) -> None:
    assert pixels(save(noise(1), tmp_path / "a.jpeg")).shape == (1, 20, 24)
    assert pixels(save(noise(1, "RGB"), tmp_path / "b.jpeg")).shape == (3, 20, 24)


def test_the_content_counts_and_not_the_extension(tmp_path: Path) -> None:
    path = save(noise(1), tmp_path / "a.png")
    assert np.array_equal(pixels(path.rename(tmp_path / "a.jpg"))[0], np.asarray(noise(1)))


def test_deep_grey_is_scaled_by_its_own_range(tmp_path: Path) -> None:
    values = np.arange(20 * 24, dtype=np.uint16).reshape(20, 24) * 8 + 100  # of 12 bits
    found = pixels(save(Image.fromarray(values), tmp_path / "a.png"))
    assert found.shape == (1, 20, 24)
    assert (found.min(), found.max()) == (0, 255)
    assert (np.diff(found.ravel().astype(int)) >= 0).all()


def test_fractions_are_scaled_and_must_be_finite(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 480, dtype=np.float32).reshape(20, 24)
    assert pixels(save(Image.fromarray(values), tmp_path / "a.tif")).max() == 255
    values[0, 0] = np.nan
    assert "NaN" in reason(save(Image.fromarray(values), tmp_path / "b.tif"))


def test_palettes_are_resolved(tmp_path: Path) -> None:
    image = noise(1, "RGB").quantize(16)
    found = pixels(save(image, tmp_path / "a.png"))
    assert np.array_equal(found, np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def test_an_opaque_alpha_channel_is_dropped(tmp_path: Path) -> None:
    image = noise(1, "RGB")
    found = pixels(save(image.convert("RGBA"), tmp_path / "a.png"))
    assert np.array_equal(found, np.asarray(image).transpose(2, 0, 1))


def test_transparent_parts_become_black(tmp_path: Path) -> None:
    image = noise(1).convert("LA")
    alpha = np.full((20, 24), 255, np.uint8)
    alpha[:5] = 0
    image.putalpha(Image.fromarray(alpha))
    found = pixels(save(image, tmp_path / "a.png"))
    assert found.shape == (1, 20, 24)
    assert (found[0, :5] == 0).all()
    assert np.array_equal(found[0, 5:], np.asarray(noise(1))[5:])


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    image = Image.new("CMYK", (24, 20), (0, 255, 255, 0))
    image.paste((255, 0, 0, 0), (0, 0, 12, 20))
    found = pixels(save(image, tmp_path / "a.tif"))
    assert found[:, 0, -1].tolist() == [255, 0, 0]


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    found = pixels(save(noise(1).convert("1"), tmp_path / "a.png"))
    assert set(np.unique(found)) == {0, 255}


def test_exif_turns_a_picture_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    found = pixels(save(noise(1), tmp_path / "a.png", exif=exif))
    assert np.array_equal(found[0], np.rot90(np.asarray(noise(1)), -1))


def test_several_pictures_in_a_file_are_refused(tmp_path: Path) -> None:
    frames = [noise(seed) for seed in range(3)]
    for name in ("a.gif", "a.tif", "a.webp", "a.png"):
        path = save(frames[0], tmp_path / name, save_all=True, append_images=frames[1:])
        assert "several" in reason(path)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1, 1), "at least"), ((30000, 10), "at least"), ((8000, 20), "too long")],
)
def test_sizes_that_show_nothing_are_refused(
    tmp_path: Path, size: tuple[int, int], expected: str
) -> None:
    assert expected in reason(save(noise(1, size=size), tmp_path / "a.png"))


def test_a_constant_picture_is_refused(tmp_path: Path) -> None:
    assert "constant" in reason(save(Image.new("RGB", (24, 20), (9, 80, 7)), tmp_path / "a.png"))
    deep = Image.fromarray(np.full((20, 24), 700, np.uint16))
    assert "constant" in reason(save(deep, tmp_path / "b.png"))


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_huge_declared_size_is_refused_before_it_is_unpacked(tmp_path: Path, side: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
    assert "pixels" in reason(path)


def test_a_jpeg_of_endless_passes_is_refused(tmp_path: Path) -> None:
    path = save(noise(1), tmp_path / "a.jpg", progressive=True)
    content = path.read_bytes()
    start = content.index(b"\xff\xda")
    path.write_bytes(content[:start] + content[start:-2] * 200 + content[-2:])
    assert "passes" in reason(path)


def test_the_widest_range_is_scaled(tmp_path: Path) -> None:
    values = np.linspace(-3e38, 3e38, 480).astype(np.float32).reshape(20, 24)
    found = pixels(save(Image.fromarray(values), tmp_path / "a.tif"))
    assert (found.min(), found.max()) == (0, 255)


def test_empty_wrong_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png").write_text("no picture")
    (tmp_path / "c.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n")
    assert reason(tmp_path / "a.png") == "is empty"
    assert "none of PNG" in reason(tmp_path / "b.png")
    assert "none of PNG" in reason(tmp_path / "c.png")
    assert "No such file" in reason(tmp_path / "d.png")


@pytest.mark.parametrize("extension", [".png", ".jpg", ".bmp", ".tif", ".gif", ".webp"])
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, extension: str) -> None:
    content = save(noise(1, "RGB"), tmp_path / f"a{extension}").read_bytes()
    path = tmp_path / f"cut{extension}"
    for length in range(1, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:length])
        reason(path)


def test_a_flipped_bit_in_a_png_is_noticed(tmp_path: Path) -> None:
    path = save(noise(1), tmp_path / "a.png")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    assert "damaged" in reason(path)


@given(
    st.binary(max_size=300), st.integers(0, 299), st.sampled_from(["PNG", "JPEG", "TIFF", "GIF"])
)
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damaged_bytes_never_crash(tmp_path: Path, noisy: bytes, at: int, kind: str) -> None:
    path = tmp_path / "a.png"
    noise(1, "RGB").save(path, format=kind)
    content = path.read_bytes()
    path.write_bytes(content[:at] + noisy + content[at + len(noisy) :])
    with contextlib.suppress(BadFile):
        assert picture_files.read(tmp_path, "a.png").shape[1] in (1, 3)


# --- class folders


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


# --- NIH

ROWS = [
    "00000001_000.png,Cardiomegaly|Effusion,0,1,058Y,M",
    "00000001_001.png,No Finding,1,1,59,M",
    "00000013_026.png,Mass,26,13,013M,F",
]


def test_nih_labels_patients_and_ages(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS)
    cases, problems = find(tmp_path, "nih", ALL_FINDINGS)
    assert not problems
    assert [case.label for case in cases.values()] == [
        "Cardiomegaly|Effusion",
        "No Finding",
        "Mass",
    ]
    assert [case.group for case in cases.values()] == ["1", "1", "13"]
    assert [case.attributes["age"] for case in cases.values()] == ["58", "59", f"{13 / 12:g}"]
    assert [case.attributes["sex"] for case in cases.values()] == ["M", "M", "F"]
    assert cases["00000013_026"].files == {"image": "images/00000013_026.png"}


def test_the_column_of_sex_may_be_called_so(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS, NIH_HEADER.replace("Patient Gender", "Patient Sex"))
    cases, _ = find(tmp_path, "nih", ALL_FINDINGS)
    assert [case.attributes["sex"] for case in cases.values()] == ["M", "M", "F"]


def test_any_finding_is_a_class_of_its_own(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS)
    cases, _ = find(tmp_path, "nih", ANY_FINDING)
    assert [case.label for case in cases.values()] == ["Finding", "No Finding", "Finding"]


@pytest.mark.parametrize(
    ("written", "years"),
    [("060Y", 60), ("60", 60), ("013M", 13 / 12), ("001D", 1 / 365.25), ("411Y", None), ("", None)],
)
def test_ages_of_all_releases(tmp_path: Path, written: str, years: float | None) -> None:
    write_nih(tmp_path, [f"a.png,Mass,0,1,{written},M"])
    cases, _ = find(tmp_path, "nih", ALL_FINDINGS)
    assert cases["a"].attributes.get("age") == (None if years is None else f"{years:g}")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", ",\n"),
        lambda text: text.replace("\n", ",,,\n"),
        lambda text: text.replace("\n", "\n\n"),
        lambda text: text.replace(",", " , "),
        lambda text: text.replace("OriginalImage[Width,Height]", '"OriginalImage[Width,Height]"'),
        lambda text: text.replace("[Width,Height]", "Width,OriginalImageHeight"),
        lambda text: text.replace("[x,y]", "_x,OriginalImagePixelSpacing_y"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("Mass", '"Mass"'),
    ],
)
def test_tables_of_any_editor_are_survived(tmp_path: Path, change) -> None:
    write_nih(tmp_path, ROWS)
    table = tmp_path / "Data_Entry_2017.csv"
    expected, _ = find(tmp_path, "nih", ALL_FINDINGS)
    table.write_bytes(change(table.read_text()).encode())
    assert find(tmp_path, "nih", ALL_FINDINGS) == (expected, [])


def test_pictures_may_lie_in_numbered_folders(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS)
    for number, row in enumerate(ROWS, 1):
        name = row.split(",")[0]
        folder = tmp_path / f"images_{number:03}/images"
        folder.mkdir(parents=True)
        (tmp_path / "images" / name).rename(folder / name)
    cases, problems = find(tmp_path, "nih", ALL_FINDINGS)
    assert cases["00000013_026"].files["image"] == "images_003/images/00000013_026.png"
    assert not problems


def test_nih_lists_give_the_partition(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS)
    (tmp_path / "train_val_list.txt").write_bytes(b"00000001_000.png\r\n00000099_000.png\r\n")
    (tmp_path / "test_list.txt").write_bytes(b"00000013_026.png")
    cases, problems = find(tmp_path, "nih", ALL_FINDINGS)
    assert {name: case.partition for name, case in cases.items()} == {
        "00000001_000": "train",
        "00000013_026": "test",
    }
    assert [(problem.case, problem.reason[:10]) for problem in problems] == [
        ("00000001_001", "is in neit")
    ]


def test_rows_and_pictures_without_partner_are_quarantined(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS)
    (tmp_path / "images/00000001_001.png").rename(tmp_path / "images/00000077_000.png")
    save(noise(5), tmp_path / "copy/00000001_000.png")
    cases, problems = find(tmp_path, "nih", ALL_FINDINGS)
    assert len(cases) == 2
    assert {(problem.file, problem.case, problem.reason) for problem in problems} == {
        (
            "Data_Entry_2017.csv",
            "00000001_001",
            "line 3 names 00000001_001.png, which is not there",
        ),
        ("images/00000077_000.png", "00000077_000", "is in no row of Data_Entry_2017.csv"),
        ("images/00000001_000.png", "", "has the same name as copy/00000001_000.png"),
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROWS[0].replace("Effusion", "Efusion")], "line 2: unknown finding 'Efusion'"),
        (
            [ROWS[0].replace("Effusion", "No Finding")],
            "line 2: 'Cardiomegaly|No Finding' says both",
        ),
        ([ROWS[0].replace("Cardiomegaly|Effusion", "")], "line 2: unknown finding ''"),
        ([ROWS[0], ROWS[0].replace("|Effusion", "")], "line 3: 00000001_000.png has Finding"),
        ([ROWS[0], ROWS[0].replace(",1,058Y", ",2,058Y")], "line 3: 00000001_000.png has Patient"),
        ([ROWS[0].replace(",1,058Y", ",,058Y")], "line 2: has no Patient ID"),
        ([ROWS[0].replace("00000001_000.png", "")], "line 2: has no Image Index"),
        ([ROWS[0] + ',"late"'], "line 2: has 12 cells, the header has 11"),
        ([], "has no rows"),
    ],
)
@pytest.mark.parametrize("classes", [ALL_FINDINGS, ANY_FINDING])
def test_nih_rows_that_cannot_be_trusted(
    tmp_path: Path, rows: list[str], message: str, classes: tuple[str, ...]
) -> None:
    write_nih(tmp_path, [])
    text = "\n".join([NIH_HEADER, *(f"{row},PA,2500,2048,0.168,0.168" for row in rows)])
    (tmp_path / "Data_Entry_2017.csv").write_text(text)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        find(tmp_path, "nih", classes)
    assert "->" in str(caught.value)


def test_a_finding_outside_the_classes_stops(tmp_path: Path) -> None:
    write_nih(tmp_path, ROWS)
    with pytest.raises(UserError, match="unknown finding 'Mass'"):
        find(tmp_path, "nih", ("Cardiomegaly", "Effusion", "No Finding"))


def test_agreeing_rows_are_taken_once(tmp_path: Path) -> None:
    write_nih(tmp_path, [*ROWS, ROWS[0]])
    cases, problems = find(tmp_path, "nih", ALL_FINDINGS)
    assert len(cases) == 3
    assert [problem.reason for problem in problems] == ["line 5 repeats line 2"]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("00000001_000.png", "00000001_000.png", "is in both train_val_list.txt and test_list.txt"),
        ("00000001_000.png", None, "there is no test_list.txt"),
    ],
)
def test_lists_that_cannot_be_trusted(
    tmp_path: Path, train: str, test: str | None, message: str
) -> None:
    write_nih(tmp_path, ROWS)
    (tmp_path / "train_val_list.txt").write_text(train)
    if test:
        (tmp_path / "test_list.txt").write_text(test)
    with pytest.raises(UserError, match=re.escape(message)):
        find(tmp_path, "nih", ALL_FINDINGS)


# --- MHIST

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


# --- together with the index


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


# --- real images


def counts(raw: Path, name: str, classes: tuple[str, ...], group: str | None = None):
    """Cases by partition and label, number of groups, all pictures decoded."""
    if not raw.is_dir():
        pytest.skip(f"no real data at {raw}")
    cases, problems = find(raw, name, classes, group)
    assert not problems
    for case in cases.values():
        assert picture_files.load(raw, case.files).ndim == 4
    groups = len({case.group for case in cases.values()})
    return Counter((case.partition, case.label) for case in cases.values()), groups


@pytest.mark.real_data
def test_real_pneumonia() -> None:
    found, _ = counts(real_data("pneumonia"), "folders", CHEST, CHEST_GROUP)
    assert found == {
        ("train", "NORMAL"): 262,
        ("train", "PNEUMONIA"): 380,
        ("val", "NORMAL"): 8,
        ("val", "PNEUMONIA"): 8,
        ("test", "NORMAL"): 124,
        ("test", "PNEUMONIA"): 208,
    }


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("folder", "expected"),
    [("ham10000", (301, 450, 72, 106, 110, 165)), ("isic2017", (90, 90, 25, 25, 35, 35))],
)
def test_real_melanoma(folder: str, expected: tuple[int, ...]) -> None:
    found, _ = counts(real_data("melanoma") / folder, "folders", LESIONS)
    keys = [(part, label) for part in ("train", "val", "test") for label in ("MEL", "NV")]
    assert found == dict(zip(keys, expected, strict=True))


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("folder", "healthy", "ill", "patients", "test"),
    [("nih_224", 347, 331, 459, 122), ("nih_64", 340, 413, 183, 135)],
)
def test_real_nih(folder: str, healthy: int, ill: int, patients: int, test: int) -> None:
    raw = real_data("xray_heads") / folder
    found, groups = counts(raw, "nih", ANY_FINDING)
    labels = Counter()
    for (_, label), count in found.items():
        labels[label] += count
    assert labels == {nih.NO_FINDING: healthy, nih.ANY_FINDING: ill}
    assert groups == patients
    assert sum(count for (part, _), count in found.items() if part == "test") == test


@pytest.mark.real_data
def test_real_nih_findings() -> None:
    raw = real_data("xray_heads") / "nih_64"
    if not raw.is_dir():
        pytest.skip(f"no real data at {raw}")
    cases, _ = find(raw, "nih", ALL_FINDINGS)
    found = Counter(label for case in cases.values() for label in case.label.split("|"))
    assert (found["Effusion"], found["Hernia"], found["No Finding"]) == (141, 9, 340)
    assert sum("|" in case.label for case in cases.values()) == 183


@pytest.mark.real_data
def test_real_sample_labels_without_their_images() -> None:
    raw = real_data("xray_heads") / "meta"
    if not raw.is_dir():
        pytest.skip(f"no real data at {raw}")
    with pytest.raises(UserError, match="names no file that is there"):
        find(raw, "nih", ALL_FINDINGS)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("folder", "expected", "cases"),
    [
        ("serrated_vs_polyp_224", (55, 30, 23, 14), 45),
        ("lowgrade_vs_polyp_112", (116, 116, 50, 52), 102),
    ],
)
def test_real_histology(folder: str, expected: tuple[int, ...], cases: int) -> None:
    raw = real_data("mhist") / folder
    found, groups = counts(raw, "annotations", POLYPS, r"GT[A-Za-z]*(\d+)")
    keys = [(part, label) for part in ("train", "test") for label in POLYPS]
    assert found == dict(zip(keys, expected, strict=True))
    assert groups == cases
