"""A damaged volume is refused with its reason."""

from __future__ import annotations

import gzip
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from scans import SEQUENCES, volume, voxels, write, write_patient, write_series
from triage.data.readers import BadFile, volume_files
from volume_index import FILES, LOCAL, Damage, cut_file, header, reason


def rewrite(change: Callable[[np.ndarray], np.ndarray], kind: type = np.float32) -> Damage:
    """The T2 of a patient with other voxels."""
    return lambda path: write(volume(change(voxels(3, kind=kind))), path)


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
