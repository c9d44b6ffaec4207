"""Reader of brain MRI and index: good scans come through whole, bad ones are named."""

from __future__ import annotations

import gzip
import re
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from scans import (
    SEQUENCES,
    make_images,
    make_index,
    real_data,
    settings,
    volume,
    voxels,
    write,
    write_cohort,
    write_patient,
    write_series,
)
from triage.data import groups, split
from triage.data.readers import (
    BadFile,
    Case,
    Columns,
    Loading,
    Problem,
    reader,
    volume_files,
    volumes,
)
from triage.errors import UserError
from triage.files import read_rows, read_table

FILES = {name: f"P/{name}.mha" for name in SEQUENCES}
TURNED = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0)  # axes in another order


def load(raw: Path, files: dict[str, str] = FILES) -> np.ndarray:
    return volumes.load(raw, files)


def reason(raw: Path, files: dict[str, str] = FILES) -> str:
    with pytest.raises(BadFile) as caught:
        load(raw, files)
    assert str(raw) not in caught.value.reason
    return caught.value.reason


def expected(arrays: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([arrays[name] for name in SEQUENCES], axis=1)


# --- formats


@pytest.mark.parametrize("extension", [".mha", ".mhd", ".nii", ".nii.gz", ".MHA"])
def test_every_format_gives_the_voxels_exactly(tmp_path: Path, extension: str) -> None:
    arrays = write_patient(tmp_path / "P", 1, extension.lower())
    if extension == ".MHA":
        for name in SEQUENCES:
            (tmp_path / f"P/{name}.mha").rename(tmp_path / f"P/{name}.MHA")
    image = load(tmp_path, {name: f"P/{name}{extension}" for name in SEQUENCES})
    assert image.dtype == np.int16
    assert np.array_equal(image, expected(arrays))


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("msb", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_voxels_are_those_that_simpleitk_reads(
    tmp_path: Path, kind: str, msb: bool, packed: bool
) -> None:
    path = tmp_path / "T1.mha"
    image = volume(np.arange(-60, 60).reshape(4, 5, 6).astype(kind), spacing=(0.5, 2.0, 3.0))
    image.SetOrigin((1.0, -2.0, 3.5))
    image.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    write(image, path, compressed=packed)
    if msb:  # says that the bytes are the other way round
        before = path.read_bytes()
        after = before.replace(b"ByteOrderMSB = False", b"ByteOrderMSB = True")
        assert after != before
        path.write_bytes(after)
    found, expected = volume_files.read(tmp_path, path.name), sitk.ReadImage(path)
    np.testing.assert_array_equal(found.voxels, sitk.GetArrayViewFromImage(expected))
    image = found.image()
    assert image.GetPixelID() == expected.GetPixelID()
    for part in ("size", "spacing", "origin", "direction"):
        get = f"Get{part.title()}"
        assert getattr(found, part) == getattr(image, get)() == getattr(expected, get)()


@pytest.mark.parametrize("value", [b"T", b"t", b"1", b"True", b"TRUE", b"true"])
@pytest.mark.parametrize("packed", [False, True])
def test_flags_of_metaimages_may_be_written_in_every_way_of_metaio(
    tmp_path: Path, value: bytes, packed: bool
) -> None:
    path = tmp_path / "T1.mha"
    write(volume(voxels(3).byteswap()), path, packed)
    path.write_bytes(flagged(path.read_bytes().replace(b"MSB = False", b"MSB = True"), value))
    found = volume_files.read(tmp_path, path.name)
    np.testing.assert_array_equal(found.voxels, sitk.GetArrayFromImage(sitk.ReadImage(path)))
    assert np.array_equal(found.voxels, voxels(3))


def flagged(content: bytes, value: bytes) -> bytes:
    """A MetaImage file whose flags are set by ``value``."""
    header, local, data = content.partition(b"LOCAL\n")
    return header.replace(b" True\n", b" " + value + b"\n") + local + data


@pytest.mark.parametrize("value", [b"yes", b"Y", b"0", b"F", b"False"])
def test_other_flags_of_metaimages_are_not_set(tmp_path: Path, value: bytes) -> None:
    path = tmp_path / "T1.mha"
    write(volume(voxels(3)), path, compressed=False)
    path.write_bytes(path.read_bytes().replace(b"MSB = False", b"MSB = " + value))
    assert np.array_equal(volume_files.read(tmp_path, path.name).voxels, voxels(3))


@pytest.mark.parametrize(
    "field",
    [b"CompressedDataSize =", b"CompressedDataSize = ", b"CompressedDataSize = 0", b"Comment ="],
)
def test_a_field_without_value_counts_as_not_given(tmp_path: Path, field: bytes) -> None:
    path = tmp_path / "T1.mha"
    write(volume(voxels(3), (0.5, 2.0, 3.0)), path)
    content = re.sub(rb"CompressedDataSize = \d+", field, path.read_bytes())
    path.write_bytes(content)
    found = volume_files.read(tmp_path, path.name)
    assert np.array_equal(found.voxels, voxels(3))
    assert found.spacing == (0.5, 2.0, 3.0)
    path.write_bytes(content[:-20])
    with pytest.raises(BadFile, match="is cut short: its compressed voxels have no end"):
        volume_files.read(tmp_path, path.name)


def test_dicom_folders_give_the_voxels_exactly(tmp_path: Path) -> None:
    arrays = {name: voxels(i) for i, name in enumerate(SEQUENCES)}
    for name, array in arrays.items():
        write_series(volume(array), tmp_path / "P" / name)
    image = load(tmp_path, {name: f"P/{name}" for name in SEQUENCES})
    assert np.array_equal(image, expected(arrays))


def test_whole_numbers_take_the_narrowest_integers(tmp_path: Path) -> None:
    for top, kind in ((255, np.uint8), (256, np.int16), (40000, np.uint16), (70000, np.int32)):
        for i, name in enumerate(SEQUENCES):
            array = voxels(i).astype(np.float32) % 200
            array.flat[0] = top
            write(volume(array), tmp_path / f"P/{name}.mha")
        assert load(tmp_path).dtype == kind


def test_fractions_stay_fractions(tmp_path: Path) -> None:
    arrays = {name: (voxels(i) / 7).astype(np.float32) for i, name in enumerate(SEQUENCES)}
    for name, array in arrays.items():
        write(volume(array), tmp_path / f"P/{name}.mha")
    image = load(tmp_path)
    assert image.dtype == np.float32
    assert np.array_equal(image, expected(arrays))


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", "DICOMDIR", ".DS_Store", "dicomdir"])
def test_files_of_systems_among_slices_are_left_alone(tmp_path: Path, name: str) -> None:
    write_series(volume(voxels(3)), tmp_path / "T2")
    (tmp_path / "T2" / name).write_bytes(bytes(128) + b"DICM")
    assert np.array_equal(volume_files.read(tmp_path, "T2").voxels, voxels(3))


# --- geometry


def test_scans_are_turned_to_run_right_to_left_front_to_back_feet_to_head(tmp_path: Path) -> None:
    arrays = {name: voxels(i) for i, name in enumerate(SEQUENCES)}
    for name, array in arrays.items():
        turned = sitk.DICOMOrient(volume(array), "SAR" if name == "T1" else "PIR")
        write(turned, tmp_path / f"P/{name}.mha")
    assert np.array_equal(load(tmp_path), expected(arrays))


def test_other_grids_are_brought_onto_the_grid_of_flair(tmp_path: Path) -> None:
    """A picture that is linear in the scanner's coordinates is interpolated without error."""

    def ramp(
        size: tuple[int, ...], spacing: tuple[float, ...], origin: tuple[float, ...]
    ) -> sitk.Image:
        image = sitk.Image(size, sitk.sitkFloat32)
        image.SetSpacing(spacing)
        image.SetOrigin(origin)
        z, y, x = np.indices(size[::-1])
        x, y, z = (origin[i] + spacing[i] * axis for i, axis in enumerate((x, y, z)))
        filled = sitk.GetImageFromArray((x + 10 * y + 100 * z + 0.25).astype(np.float32))
        filled.CopyInformation(image)
        return filled

    flair = ramp((10, 12, 8), (1.0, 1.0, 3.0), (0.0, 0.0, 0.0))
    write(flair, tmp_path / "P/T2-FLAIR.mha")
    write(3 * ramp((30, 35, 30), (0.5, 0.5, 1.0), (-2.0, -2.0, -1.0)), tmp_path / "P/T1.mha")
    turned = sitk.DICOMOrient(ramp((20, 20, 20), (0.9, 1.1, 1.7), (-3.0, -4.0, -2.0)), "IAL")
    write(turned * 2, tmp_path / "P/T2.mha")
    image = load(tmp_path)
    truth = sitk.GetArrayFromImage(flair)
    assert image.shape == (8, 3, 12, 10)
    np.testing.assert_allclose(image[:, 0], 3 * truth, rtol=1e-4)
    np.testing.assert_allclose(image[:, 1], 2 * truth, rtol=1e-4)
    assert np.array_equal(image[:, 2], truth)


def test_interpolated_whole_numbers_are_rounded(tmp_path: Path) -> None:
    write_patient(tmp_path / "P", 1)
    fine = voxels(5, (18, 40, 36))
    write(volume(fine, (0.5, 0.5, 1.0)), tmp_path / "P/T1.mha")
    assert load(tmp_path).dtype == np.int16


def test_rounding_in_a_header_is_no_other_grid(tmp_path: Path) -> None:
    arrays = write_patient(tmp_path / "P", 1)
    image = volume(arrays["T1"], (1.00001, 1.0, 3.00002))
    image.SetOrigin((0.0004, 0.0, 0.001))
    write(image, tmp_path / "P/T1.mha")
    assert np.array_equal(load(tmp_path), expected(arrays))


def test_a_sequence_of_another_place_is_bad(tmp_path: Path) -> None:
    write_patient(tmp_path / "P", 1)
    image = volume(voxels(5))
    image.SetOrigin((500.0, 0.0, 0.0))
    write(image, tmp_path / "P/T2.mha")
    assert "shows only 0% of what T2-FLAIR shows" in reason(tmp_path)


# --- damage

Damage = Callable[[Path], object]


def rewrite(change: Callable[[np.ndarray], np.ndarray], kind: type = np.float32) -> Damage:
    """The T2 of a patient with other voxels."""
    return lambda path: write(volume(change(voxels(3, kind=kind))), path)


def header(old: bytes, new: bytes) -> Damage:
    """An uncompressed T2 with a changed header."""

    def damage(path: Path) -> None:
        write(volume(voxels(3)), path, compressed=False)
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new, 1))

    return damage


def cut(share: float, compressed: bool) -> Damage:
    def damage(path: Path) -> None:
        write(volume(voxels(3)), path, compressed)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])

    return damage


def flip(path: Path) -> None:
    """A compressed T2 with one wrong byte."""
    write(volume(voxels(3)), path)
    content = bytearray(path.read_bytes())
    content[-200] ^= 0xFF
    path.write_bytes(content)


def holed(array: np.ndarray) -> np.ndarray:
    array[2, 3, 4] = np.nan
    return array


def infinite(array: np.ndarray) -> np.ndarray:
    array[2, 3, 4] = np.inf
    return array


def four_dimensions(path: Path) -> None:
    sitk.WriteImage(sitk.JoinSeries([volume(voxels(3)), volume(voxels(4))]), str(path))


def flat(path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(voxels(3)[0]), str(path))


def copy_of_t1(path: Path) -> None:
    shutil.copy(path.with_name("T1.mha"), path)


def colour(path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(voxels(3, (*(6, 20, 18), 3)), isVector=True), str(path))


SPACING = b"ElementSpacing = 1 1 3"
LOCAL = "must be LOCAL or a file beside it"
MATRIX = b"TransformMatrix = 1 0 0 0 1 0 0 0 1"
DAMAGES: dict[str, tuple[Damage, str]] = {
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "text": (lambda path: path.write_text("hello\nworld"), "is no MetaImage"),
    "noise": (lambda path: path.write_bytes(bytes(range(256)) * 9), "is no MetaImage"),
    "folder": (lambda path: path.mkdir(), "0 readable DICOM series"),
    "cut header": (cut(0.01, False), "cut short"),
    "cut": (cut(0.6, False), "cut short"),
    "cut at the end": (cut(0.9999, False), "cut short"),
    "cut, compressed": (cut(0.6, True), "cut short"),
    "cut at the end, compressed": (cut(0.9999, True), "cut short"),
    "one wrong byte, compressed": (flip, "can't be decoded"),
    "constant": (rewrite(np.zeros_like), "is constant: all voxels are 0"),
    "NaN": (rewrite(holed), "1 voxel(s) that are NaN or infinite"),
    "infinite": (rewrite(infinite), "1 voxel(s) that are NaN or infinite"),
    "too large": (rewrite(lambda array: array * 1e300, np.float64), "too large for 32 bits"),
    "four dimensions": (four_dimensions, "4 dimensions, must have 3"),
    "flat": (flat, "2 dimensions, must have 3"),
    "colour": (colour, "3 values a voxel, must have 1"),
    "huge": (header(b"DimSize = 18 20 6", b"DimSize = 18000 20000 6000"), "must be 1 to 268435456"),
    "larger": (header(b"DimSize = 18 20 6", b"DimSize = 18 20 7"), "cut short: 4320 of 5040 bytes"),
    "negative size": (header(b"DimSize = 18 20 6", b"DimSize = -18 20 6"), "must be 1 to"),
    "no slices": (header(b"DimSize = 18 20 6", b"DimSize = 18 20 0"), "must be 1 to"),
    "size is text": (header(b"DimSize = 18 20 6", b"DimSize = a b c"), "says DimSize = a b c"),
    "no size": (header(b"DimSize = 18 20 6\n", b""), "lacks DimSize"),
    "empty size": (header(b"DimSize = 18 20 6", b"DimSize ="), "lacks DimSize"),
    "no type": (header(b"ElementType = MET_SHORT\n", b""), "lacks ElementType"),
    "no such type": (header(b"MET_SHORT", b"MET_SHIRT"), "MET_SHIRT, which is no type"),
    "zero spacing": (header(SPACING, b"ElementSpacing = 0 1 3"), "must be above 0"),
    "negative spacing": (header(SPACING, b"ElementSpacing = -1 1 3"), "above 0"),
    "spacing not a number": (header(SPACING, b"ElementSpacing = nan 1 3"), "above 0"),
    "singular axes": (header(MATRIX, MATRIX[:-17] + b"0 0 0 0 1 0 0 0 1"), "right angles"),
    "skewed axes": (header(MATRIX, MATRIX[:-17] + b"1 .5 0 0 1 0 0 0 1"), "right angles"),
    "any file of the machine": (header(b"LOCAL", b"/etc/passwd"), LOCAL),
    "a file above": (header(b"LOCAL", b"../T1.mha"), LOCAL),
    "a list of files": (header(b"LOCAL", b"LIST\na\nb"), LOCAL),
    "no such file": (header(b"LOCAL", b"other.raw"), "which is not beside it"),
    "not compressed": (header(b"Data = False", b"Data = True"), "can't be decoded"),
    "as text": (header(b"BinaryData = True", b"BinaryData = False"), "holds its voxels as text"),
    "as text, in short": (header(b"BinaryData = True", b"BinaryData = F"), "voxels as text"),
    "copy of T1": (lambda path: copy_of_t1(path), "same voxels as T1"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_refused_with_its_reason(tmp_path: Path, name: str) -> None:
    damage, words = DAMAGES[name]
    write_patient(tmp_path / "P", 1)
    path = tmp_path / "P/T2.mha"
    path.unlink()
    damage(path)
    assert words in reason(tmp_path)


def test_a_metaimage_that_unpacks_to_more_than_it_says_is_not_unpacked(tmp_path: Path) -> None:
    write_patient(tmp_path / "P", 1)
    path = tmp_path / "P/T2.mha"
    write(volume(np.zeros((64, 256, 256), dtype=np.int16)), path)
    path.write_bytes(path.read_bytes().replace(b"DimSize = 256 256 64", b"DimSize = 8 8 4"))
    assert "holds more than the 512 bytes" in reason(tmp_path)


@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
@pytest.mark.parametrize("share", [0, 0.05, 0.3, 0.9, 0.999])
def test_a_cut_nifti_is_refused(tmp_path: Path, extension: str, share: float) -> None:
    files = {name: f"P/{name}{extension}" for name in SEQUENCES}
    write_patient(tmp_path / "P", 1, extension)
    path = tmp_path / files["T2"]
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert any(words in reason(tmp_path, files) for words in ("cut short", "is empty"))


def test_a_nifti_that_declares_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    files = FILES | {"T2": "P/T2.nii.gz"}
    write_patient(tmp_path / "P", 1)
    content = bytearray(volume_bytes(tmp_path / "P/T2.nii"))
    struct.pack_into("<3h", content, 42, 30000, 30000, 30000)
    (tmp_path / "P/T2.nii.gz").write_bytes(gzip.compress(content))
    assert "30000 x 30000 x 30000 voxels, must be" in reason(tmp_path, files)
    struct.pack_into("<3h", content, 42, 18, 20, 60)
    (tmp_path / "P/T2.nii.gz").write_bytes(gzip.compress(content))
    assert "is cut short" in reason(tmp_path, files)


SCALES = [(2.36, 0.0), (1.0, -1024.0)]


@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
@pytest.mark.parametrize("scale", SCALES)
def test_a_nifti_with_slope_and_intercept_comes_through(
    tmp_path: Path, extension: str, scale: tuple[float, float]
) -> None:
    content = bytearray(volume_bytes(tmp_path / "plain.nii"))
    struct.pack_into("<2f", content, 112, *scale)
    path = tmp_path / f"T2{extension}"
    packed = extension.endswith(".gz")
    path.write_bytes(gzip.compress(content) if packed else content)
    found = volume_files.read(tmp_path, path.name)
    expected = np.asarray(nibabel.load(path).dataobj).T
    np.testing.assert_array_equal(found.voxels, expected)
    np.testing.assert_allclose(found.voxels, voxels(3) * scale[0] + scale[1], rtol=1e-6)
    path.write_bytes(gzip.compress(content[:-2]) if packed else content[:-2])
    with pytest.raises(BadFile, match="is cut short: 4318 of 4320 bytes"):
        volume_files.read(tmp_path, path.name)


def nifti(order: str, version: int) -> bytes:
    """A scaled volume of 16 bits as NIfTI-1 or NIfTI-2 in a byte order; its bitpix is wrong."""
    content = bytearray({1: 352, 2: 544}[version])
    places = {1: ("hhff", "h", 40, 70, 76, 108, 112), 2: ("hhqd", "q", 16, 12, 104, 168, 176)}
    kinds, whole, *at = places[version]
    struct.pack_into(order + "i", content, 0, len(content) - 4)
    struct.pack_into(order + f"4{whole}", content, at[0], 3, 18, 20, 6)
    struct.pack_into(order + kinds[:2], content, at[1], 4, 64)
    struct.pack_into(order + f"4{kinds[3]}", content, at[2], 1, 1, 1, 3)
    struct.pack_into(order + kinds[2], content, at[3], len(content))
    struct.pack_into(order + f"2{kinds[3]}", content, at[4], 2, 1)
    magic = {1: (344, b"n+1\0"), 2: (4, b"n+2\0\r\n\x1a\n")}[version]
    content[magic[0] : magic[0] + len(magic[1])] = magic[1]
    return bytes(content) + voxels(3).astype(order + "i2").tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [1, 2])
def test_the_type_of_voxels_is_read_in_either_byte_order(
    tmp_path: Path, order: str, version: int
) -> None:
    path = tmp_path / "T2.nii"
    path.write_bytes(nifti(order, version))
    assert np.array_equal(volume_files.read(tmp_path, path.name).voxels, voxels(3) * 2.0 + 1)
    path.write_bytes(nifti(order, version)[:-2])
    with pytest.raises(BadFile, match="is cut short: 4318 of 4320 bytes"):
        volume_files.read(tmp_path, path.name)


def volume_bytes(path: Path) -> bytes:
    write(volume(voxels(3)), path, compressed=False)
    return path.read_bytes()


def test_swapped_extensions_are_refused(tmp_path: Path) -> None:
    write_patient(tmp_path / "P", 1)
    shutil.copy(tmp_path / "P/T2.mha", tmp_path / "P/T2.nii")
    assert "is no NIfTI file" in reason(tmp_path, FILES | {"T2": "P/T2.nii"})
    (tmp_path / "P/T2.mha").write_bytes(volume_bytes(tmp_path / "P/other.nii"))
    assert "is no MetaImage" in reason(tmp_path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "002.dcm").unlink(), "some are missing or doubled"),
        (lambda folder: (folder / "002.dcm").write_bytes(b"x"), "002.dcm"),
        (lambda folder: (folder / "notes.txt").write_text("x"), "notes.txt"),
        (lambda folder: cut_file(folder / "002.dcm"), "002.dcm"),
        (lambda folder: [path.unlink() for path in folder.iterdir()], "0 readable DICOM series"),
    ],
)
def test_damaged_dicom_folders_are_refused(
    tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    write_patient(tmp_path / "P", 1)
    write_series(volume(voxels(3)), tmp_path / "P/T2")
    damage(tmp_path / "P/T2")
    assert words in reason(tmp_path, FILES | {"T2": "P/T2"})


def cut_file(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


# --- layout


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    write_cohort(folder)
    return folder


def test_the_manifest_lists_every_patient(raw: Path) -> None:
    made = make_index(raw)
    assert made.problems == []
    rows = {row["case"]: row for row in made.rows()}
    assert list(rows) == sorted(rows)
    assert len(rows) == 8
    first, last = rows["P00"], rows["P07"]
    assert (first["label"], first["partition"], first["group"]) == ("normal", "train", "P00")
    assert (last["label"], last["partition"]) == ("", "test")
    sizes = [(raw / f"train/full/normal/P00/{name}.mha").stat().st_size for name in SEQUENCES]
    assert first["size"] == str(sum(sizes))
    assert len({row["sha256"] for row in rows.values()}) == 8


def test_visits_of_a_patient_are_one_group(raw: Path) -> None:
    for visit in "12":
        write_patient(raw / f"train/full/normal/Q-S{visit}", 50 + int(visit))
    groups = {row["case"]: row["group"] for row in make_index(raw, group=r"^(.+)-S\d+$").rows()}
    assert groups["Q-S1"] == groups["Q-S2"] == "Q"
    assert groups["P00"] == "P00"


@pytest.mark.parametrize("pattern", ["(", "no group", "(two)(groups)"])
def test_a_pattern_that_names_no_group_is_refused(raw: Path, pattern: str) -> None:
    with pytest.raises(UserError, match="group"):
        make_index(raw, group=pattern)


BAD_PATIENT = Path("train/full/normal/P00")
PATIENT_DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda folder: (folder / "T2.mha").unlink(), "lacks T2; there are: T1.mha, T2-"),
    "doubled": (lambda folder: (folder / "T2.nii").write_text("x"), "T2 more than once"),
    "copied": (lambda folder: shutil.copy(folder / "T1.mha", folder / "T2.mha"), "is a copy of"),
    "truncated": (lambda folder: cut_file(folder / "T2.mha"), "cut short"),
    "few slices": (lambda folder: few_slices(folder), "has 2 slice(s), fewer than min_slices = 4"),
    "link to nowhere": (lambda folder: relink(folder / "T2.mha"), "can't be read"),
    "of another patient": (
        lambda folder: shutil.copy(folder.with_name("P01") / "T1.mha", folder / "T1.mha"),
        "another case, whose other files differ",
    ),
    "of another label": (
        lambda folder: shutil.copytree(
            folder.parents[1] / "abnormal/P03", folder, dirs_exist_ok=True
        ),
        "which is abnormal and not normal",
    ),
    "empty folder": (lambda folder: [path.unlink() for path in folder.iterdir()], "empty folder"),
}  # fmt: skip


def few_slices(folder: Path) -> None:
    for i, name in enumerate(SEQUENCES):
        write(volume(voxels(90 + i, (2, 20, 18))), folder / f"{name}.mha")


def relink(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


@pytest.mark.parametrize("name", PATIENT_DAMAGES)
def test_a_bad_patient_goes_to_quarantine_and_the_rest_stays(raw: Path, name: str) -> None:
    before = {row["case"]: row for row in make_index(raw).rows()}
    damage, words = PATIENT_DAMAGES[name]
    damage(raw / BAD_PATIENT)
    made = make_index(raw)
    problems = {problem.case: problem for problem in made.problems}
    assert words in problems["P00"].reason
    assert problems["P00"].file.startswith(str(BAD_PATIENT))
    after = {row["case"]: row for row in made.rows()}
    assert after == {case: row for case, row in before.items() if case not in problems}


def test_whole_copies_of_one_label_are_kept(raw: Path) -> None:
    shutil.copytree(raw / BAD_PATIENT, raw / "train/full/normal/copy")
    made = make_index(raw)
    assert made.problems == []
    sums = {row["case"]: row["sha256"] for row in made.rows()}
    assert sums["copy"] == sums["P00"]


def test_files_in_no_patients_folder_are_listed(raw: Path) -> None:
    (raw / "train/full/normal/notes.txt").write_text("x")
    (raw / "readme.txt").write_text("x")
    (raw / "link").symlink_to("nowhere")
    problems = {problem.file: problem for problem in make_index(raw).problems}
    assert problems["train/full/normal/notes.txt"].reason == "is in no patient's folder"
    assert problems["link"].reason.startswith("can't be read")
    assert "readme.txt" not in problems


def test_names_of_all_kinds_survive(raw: Path) -> None:
    names = ["with space", 'quote"', "comma,", "-dash", "ünï", "'; rm -rf x", "$(x)", "\u00a0nbsp"]
    for i, name in enumerate(names):
        write_patient(raw / "train/full/normal" / name, 30 + i)
    write_patient(raw / "train/full/normal/new\nline", 60)
    made = make_index(raw)
    assert {row["case"] for row in made.rows()} >= set(names)
    assert set(read_table(raw.parent / "manifest.csv")["case"]) >= set(names)
    assert {problem.case for problem in made.problems} == {r"new\x0aline"}


def test_names_from_tables_can_not_break_tables(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other readers take names from tables, where any character can stand."""
    find = volumes.find

    def strange(*arguments: object) -> tuple[list[Case], list[Problem]]:
        cases, problems = find(*arguments)  # type: ignore[arg-type]
        return [replace(cases[0], case="a\nb"), *cases[1:]], problems

    monkeypatch.setattr(volumes, "find", strange)
    made = make_index(raw)
    assert len(made.cases) == 7
    assert [(problem.case, problem.reason) for problem in made.problems] == [
        (r"a\x0ab", "has control characters in its name")
    ]


def test_the_quarantine_is_written_with_its_columns(raw: Path) -> None:
    (raw / BAD_PATIENT / "T2.mha").unlink()
    make_index(raw)
    rows = read_table(raw.parent / "quarantine.csv", ["file", "case", "reason"])
    assert rows["case"].tolist() == ["P00"]


def test_too_many_bad_patients_stop_with_the_first_reasons(raw: Path) -> None:
    (raw / BAD_PATIENT / "T2.mha").unlink()
    with pytest.raises(UserError) as caught:
        make_index(raw, max_quarantined=0.1)
    for words in ("1 of 8 cases", "max_quarantined", "P00: lacks T2", str(raw)):
        assert words in str(caught.value)
    assert make_index(raw, max_quarantined=0.125).problems


def test_a_patient_in_both_classes_stops(raw: Path) -> None:
    write_patient(raw / "train/full/abnormal/P00", 77)
    with pytest.raises(UserError, match=r"P00: train/full/abnormal/P00, train/full/normal/P00"):
        make_index(raw)


@pytest.mark.parametrize("label", ["Abnormal", "abnorml", "new"])
def test_a_folder_that_is_no_class_stops(raw: Path, label: str) -> None:
    write_patient(raw / f"train/full/{label}/X", 77)
    with pytest.raises(UserError, match=f"'{label}' is no class"):
        make_index(raw)


def test_an_empty_class_stops(raw: Path) -> None:
    shutil.rmtree(raw / "train/full/abnormal")
    with pytest.raises(UserError, match="no usable case of abnormal"):
        make_index(raw)


def test_a_folder_without_patients_says_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(UserError, match="expected train/full/normal/<patient>"):
        make_index(tmp_path / "raw")


def test_a_folder_too_high_is_pointed_out(raw: Path) -> None:
    (raw.parent / "above").mkdir()
    raw.rename(raw.parent / "above/data")
    with pytest.raises(UserError, match="below data: set the raw folder to it"):
        make_index(raw.parent / "above")


def test_names_of_patients_in_dicom_headers_are_nowhere(raw: Path) -> None:
    for i, name in enumerate(SEQUENCES):
        (raw / BAD_PATIENT / f"{name}.mha").unlink()
        write_series(volume(voxels(40 + i)), raw / BAD_PATIENT / name)
    made = make_index(raw)
    assert len(made.cases) == 8
    assert "Doe" not in str(made)
    (raw / BAD_PATIENT / "T2/003.dcm").unlink()
    bad = make_index(raw)
    assert "Doe" not in str(bad)
    assert [problem.case for problem in bad.problems] == ["P00"]


def test_a_folder_of_dicom_counts_with_all_its_files(raw: Path) -> None:
    for i, name in enumerate(SEQUENCES):
        (raw / BAD_PATIENT / f"{name}.mha").unlink()
        write_series(volume(voxels(40 + i)), raw / BAD_PATIENT / name)
    first = make_index(raw).rows()[0]
    assert int(first["size"]) == sum(
        path.stat().st_size for path in (raw / BAD_PATIENT).rglob("*.dcm")
    )
    slice_ = raw / BAD_PATIENT / "T2/003.dcm"
    slice_.write_bytes(slice_.read_bytes() + b"\0\0")
    assert make_index(raw).rows()[0]["sha256"] != first["sha256"]


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


# --- other channels


def test_any_channels_and_their_number(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    channels = ("T1c", "FLAIR", "T2w", "T1w")
    for number, label in enumerate(["normal", "abnormal"]):
        for i, name in enumerate(channels):
            image = volume(voxels(10 * number + i))
            write(image, raw / f"train/full/{label}/P{number}/{name}.nii.gz")
    made = make_index(raw, channels=channels)
    assert made.problems == []
    assert [list(case.files) for case in made.cases] == [list(channels)] * 2
    image = volumes.load(raw, made.cases[0].files, Loading(channels=channels, reference="T1c"))
    assert np.array_equal(image, np.stack([voxels(i) for i in range(4)], axis=1))
    paths = [str(path.relative_to(raw)) for path in raw.rglob("*.gz")]
    cases, problems = volumes.find(raw, paths, settings())
    assert cases == []
    reasons = [problem.reason for problem in problems if problem.case]
    assert len(reasons) == 2
    assert all(reason.startswith("lacks T1, T2, T2-FLAIR") for reason in reasons)


def test_one_channel_becomes_several_by_windows(tmp_path: Path) -> None:
    hounsfield = (voxels(3) * 2 - 1000).astype(np.int16)
    write(volume(hounsfield), tmp_path / "CT.nii.gz")
    how = Loading(channels=("CT",), windows=((-1000, 400), (-160, 240), (0, 80)))
    image = volumes.load(tmp_path, {"CT": "CT.nii.gz"}, how)
    assert image.dtype == np.int16
    assert image.shape == (6, 3, 20, 18)
    for channel, (low, high) in enumerate(how.windows):
        assert np.array_equal(image[:, channel], hounsfield.clip(low, high))


def test_the_reference_names_the_grid(tmp_path: Path) -> None:
    arrays = write_patient(tmp_path / "P", 1)
    write(volume(voxels(5, (3, 20, 18)), (1.0, 1.0, 6.0)), tmp_path / "P/T1.mha")
    assert load(tmp_path).shape == (6, 3, 20, 18)
    assert np.array_equal(load(tmp_path)[:, 1], arrays["T2"])
    assert volumes.load(tmp_path, FILES, Loading(reference="T1")).shape == (3, 3, 20, 18)


def test_a_spacing_of_ones_own(tmp_path: Path) -> None:
    """A picture that is linear in the scanner's coordinates comes out without error."""
    x = np.arange(18, dtype=np.float32)
    ramp = np.broadcast_to(10 * x, (6, 20, 18)).copy()
    write(volume(ramp, (1.0, 1.0, 3.0)), tmp_path / "CT.mha")
    how = Loading(channels=("CT",), spacing=(0.5, 2.0, 1.0))
    found = volumes.load(tmp_path, {"CT": "CT.mha"}, how)
    assert found.shape == (18, 1, 10, 36)
    inner = found[2:-2, 0, 1:-1, 1:-1]
    assert np.abs(inner - 10 * (-0.25 + 0.5 * np.arange(36))[1:-1]).max() <= 0.51


def test_volumes_that_are_no_channel_are_listed_and_side_files_are_not(raw: Path) -> None:
    folder = raw / BAD_PATIENT
    write(volume(voxels(88)), folder / "T1c.nii.gz")
    write_series(volume(voxels(89)), folder / "localizer")
    for name in ("T1.json", "dwi.bval", "T1.png", "notes.txt"):
        (folder / name).write_text("x")
    made = make_index(raw)
    assert len(made.cases) == 8
    assert {problem.file: (problem.case, problem.reason) for problem in made.problems} == {
        f"{BAD_PATIENT}/{name}": ("", "is no channel: these are T1, T2, T2-FLAIR")
        for name in ("T1c.nii.gz", "localizer")
    }


def test_new_cases_are_found_in_folders_and_by_what_their_files_share() -> None:
    how = Loading(channels=("T1w", "FLAIR"))
    paths = [
        "a/T1w.mha", "a/FLAIR/001.dcm", "a/FLAIR/002.dcm", "a/T1w.json", "a/T1w.png",
        "anat/sub-01_T1w.nii.gz", "anat/sub-01_FLAIR.nii.gz", "anat/sub-02_T1w.nii.gz",
        "b/dwi.nii.gz",
    ]  # fmt: skip
    cases, problems = volumes.gather(paths, how)
    assert {case.case: dict(case.files) for case in cases} == {
        "a": {"T1w": "a/T1w.mha", "FLAIR": "a/FLAIR"},
        "anat/sub-01": {"T1w": "anat/sub-01_T1w.nii.gz", "FLAIR": "anat/sub-01_FLAIR.nii.gz"},
    }
    assert {problem.file: problem.reason for problem in problems} == {
        "b/dwi.nii.gz": "is none of T1w, FLAIR",
        "anat/sub-02": "lacks FLAIR; there are: T1w.nii.gz",
    }


# --- consent


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


# --- real scans


@pytest.mark.real_data
def test_real_scans_come_through(tmp_path: Path) -> None:
    folder = real_data("braintriage")
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}")
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("train", "final_test_set"):
        (raw / name).symlink_to(folder / name, target_is_directory=True)
    made = make_index(raw, group=r"^(.+)-S\d+$", min_slices=32)
    assert made.problems == []
    images = make_images(raw, made)
    cases = [str(row["case"]) for row in made.rows()]
    assert images.rows(cases).shape == (9, 32)
    assert images.read(images.rows(cases[:1])).shape == (1, 32, 3, 256, 256)
    assert images.dtype == np.int16
    images.verify()
    how = groups.SplitSettings(k=3, test="fold", near_duplicate_bits=10, leaks="error")
    manifest = read_table(raw.parent / "manifest.csv")
    tables = [raw.parent / f"shard-{i}.csv" for i in range(2)]
    dealt, _ = groups.make(manifest, groups.read_shown(tables, cases), how, {})
    made_split = split.make(dealt, 0, how).set_index("case")
    assert made_split["partition"].value_counts()["unlabelled"] == 2
    assert len(made_split.loc[["MS-L01-S1", "MS-L01-S2"], "partition"].unique()) == 1
    assert made_split["group"].nunique() == 8  # nobody looks like anybody else
    labelled = made_split[made_split["fold"] >= 0]
    assert labelled.drop_duplicates("group").groupby(["fold", "label"]).size().tolist() == [1] * 6


@pytest.mark.real_data
def test_a_real_patient_of_three_grids_comes_out_on_the_grid_of_flair(tmp_path: Path) -> None:
    folder = real_data("braintriage") / "quirks/native_shapes/MS-L03-S2"
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}")
    above = tmp_path / "raw/train/full/normal"
    above.mkdir(parents=True)
    (above / "MS-L03-S2").symlink_to(folder, target_is_directory=True)
    write_patient(tmp_path / "raw/train/full/abnormal/other", 1)
    made = make_index(tmp_path / "raw")
    assert [row["case"] for row in made.rows()] == ["MS-L03-S2", "other"]
    files = {name: f"train/full/normal/MS-L03-S2/{name}.mha" for name in SEQUENCES}
    image = reader(settings().reader).load(tmp_path / "raw", files)
    assert image.shape == (48, 3, 320, 320)
    assert image.dtype == np.int16
    flair = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "T2-FLAIR.mha")))
    assert np.array_equal(image[:, 2], flair)
    # Anatomy lies on anatomy: where FLAIR shows the head, so do T1 and T2.
    head = flair > 50
    for channel in (0, 1):
        assert (image[:, channel][head] > 50).mean() > 0.9
