"""Every format of a volume gives its voxels exactly."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from scans import SEQUENCES, volume, voxels, write, write_patient, write_series
from triage.data.readers import BadFile, volume_files
from volume_index import expected, load


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
