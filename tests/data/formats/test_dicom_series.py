"""Folders of DICOM slices: a volume with each slice's own values, or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dicom_files import slice_
from scans import voxels
from triage.data.formats.volume import Volume
from triage.data.readers import BadFile, volume_files

VOXELS = voxels(3)  # [6, 20, 18]


def read(path: Path) -> Volume:
    return volume_files.read(path.parent, path.name)


def reason(path: Path) -> str:
    with pytest.raises(BadFile) as caught:
        read(path)
    assert str(path.parent) not in caught.value.reason
    return caught.value.reason


def corner(volume: Volume) -> np.ndarray:
    """Where the last voxel lies."""
    steps = np.array(volume.spacing) * (np.array(volume.size) - 1)
    return np.array(volume.origin) + np.array(volume.direction).reshape(3, 3) @ steps


def series(folder: Path, **each: Callable[[int], object]) -> Path:
    """VOXELS as a folder of slices, whose fields are changed by a function of their number."""
    folder.mkdir(parents=True)
    for i, array in enumerate(VOXELS):
        data = slice_(i, array, **{key: make(i) for key, make in each.items()})
        data.save_as(folder / f"IM{(7 * i) % 11}", enforce_file_format=True)
    return folder


def test_slices_are_sorted_by_place_and_lie_where_they_say(tmp_path: Path) -> None:
    found = read(series(tmp_path / "T1"))
    assert np.array_equal(found.voxels, VOXELS)
    assert (found.spacing, found.origin) == ((1, 2, 5), (0, 0, 0))
    turned = series(
        tmp_path / "T2",
        ImageOrientationPatient=lambda i: [0, 1, 0, 0, 0, -1],
        ImagePositionPatient=lambda i: [10 - 3 * i, 7, 9],
    )
    found = read(turned)
    assert np.array_equal(found.voxels, VOXELS)
    assert found.spacing == (1, 2, 3)
    np.testing.assert_allclose(found.origin, (10, 7, 9))
    np.testing.assert_allclose(corner(found), (10 - 15, 7 + 17, 9 - 38))


@pytest.mark.parametrize(
    ("slopes", "intercepts"),
    [
        (lambda i: 1, lambda i: -1024 if i else 0),
        (lambda i: 0.001 if i else 1, lambda i: 0),
        (lambda i: 200 if i else 1, lambda i: 0),
        (lambda i: 1 + 0.37 * i, lambda i: -0.5 * i),
        (lambda i: None, lambda i: None),
        (lambda i: None, lambda i: -3),
    ],
)
def test_each_slice_has_its_own_rescaling(
    tmp_path: Path, slopes: Callable[[int], float], intercepts: Callable[[int], float]
) -> None:
    found = read(series(tmp_path / "T1", RescaleSlope=slopes, RescaleIntercept=intercepts))
    for i, (got, stored) in enumerate(zip(found.voxels, VOXELS, strict=True)):
        slope, intercept = slopes(i), intercepts(i)
        right = stored.astype(float) * (1.0 if slope is None else slope) + (intercept or 0)
        np.testing.assert_array_equal(got, right)


def test_unused_bits_are_no_voxels(tmp_path: Path) -> None:
    """Overlays of old scanners stand in the upper bits."""
    dirty = VOXELS.astype(np.uint16) | 0xF000
    folder = series(
        tmp_path / "T1",
        BitsStored=lambda i: 12,
        HighBit=lambda i: 11,
        PixelData=lambda i: dirty[i].tobytes(),
    )
    assert np.array_equal(read(folder).voxels, VOXELS)
    signed = series(
        tmp_path / "T2",
        BitsStored=lambda i: 12,
        HighBit=lambda i: 11,
        PixelRepresentation=lambda i: 1,
        PixelData=lambda i: ((VOXELS[i] - 500) & 0xFFF).astype("<u2").tobytes(),
    )
    assert np.array_equal(read(signed).voxels, VOXELS - 500)


COSINE, SINE = np.cos(np.radians(20)), np.sin(np.radians(20))


@pytest.mark.parametrize(
    ("field", "make", "words"),
    [
        ("ImagePositionPatient", lambda i: [3 * i, 0, 5 * i], "tilted (by 31 degrees)"),
        ("ImagePositionPatient", lambda i: [40 * (i > 2), 0, 5 * i], "aside"),
        ("ImagePositionPatient", lambda i: [0, 2 * (i == 3), 5 * i], "aside"),
        ("ImagePositionPatient", lambda i: [0, 0, 5 * i + 3 * (i > 2)], "missing or doubled"),
        ("ImagePositionPatient", lambda i: [0, 0, 5 * (i // 2)], "missing or doubled"),
        ("ImagePositionPatient", lambda i: [0, 0, 0], "missing or doubled"),
        ("ImagePositionPatient", lambda i: None, "has no position"),
        ("ImageOrientationPatient", lambda i: [1, 0, 0, 0, COSINE, -SINE], "by 20 degrees"),
        ("ImageOrientationPatient", lambda i: [1, 0, 0, 0, 1, 0][:: -1 if i else 1], "direction"),
        ("ImageOrientationPatient", lambda i: [1, 0, 0, 1, 0, 0], "right angles"),
        ("ImageOrientationPatient", lambda i: None, "has no position"),
        ("PixelSpacing", lambda i: [2, 1 + 0.1 * (i == 4)], "pixel spacing"),
        ("PixelSpacing", lambda i: None, "no pixel spacing"),
        ("PixelSpacing", lambda i: [0, 1], "must be above 0"),
        ("PatientID", lambda i: str(i // 3), "holds 2 patients"),
        ("FrameOfReferenceUID", lambda i: f"1.2.{i // 3 + 1}", "2 frames of reference"),
        ("SeriesInstanceUID", lambda i: f"1.2.{i // 3 + 1}", "2 readable DICOM series"),
        ("PhotometricInterpretation", lambda i: "MONOCHROME1", "MONOCHROME1"),
        ("NumberOfFrames", lambda i: 3, "3 frames"),
        ("HighBit", lambda i: 11, "up to bit 11"),
        ("RescaleSlope", lambda i: 0, "slope of 0"),
    ],
)  # fmt: skip
def test_slices_that_make_no_volume_are_refused(
    tmp_path: Path, field: str, make: Callable[[int], object], words: str
) -> None:
    assert words in reason(series(tmp_path / "T1", **{field: make}))


def test_files_in_a_folder_below_are_pointed_out(tmp_path: Path) -> None:
    series(tmp_path / "T1/DICOM/SE0")
    assert "its files lie in a folder below, DICOM" in reason(tmp_path / "T1")


def test_what_converters_put_beside_slices_is_no_slice(tmp_path: Path) -> None:
    folder = series(tmp_path / "T1")
    for name in ("T1.json", "T1.bval", "Thumbs.db"):
        (folder / name).write_text("{}")
    assert np.array_equal(read(folder).voxels, VOXELS)


@pytest.mark.parametrize("where", ["header", "pixels", "sequence"])
def test_no_reason_has_a_name(tmp_path: Path, where: str) -> None:
    """Neither does it where that name is what can't be read."""
    folder = series(tmp_path / "T1")
    path = folder / "IM0"
    content = path.read_bytes()
    if where == "header":
        path.write_bytes(content.replace(b"Doe^Jane", b"\xff\xfeDoe\xff^"))
        path.write_bytes(path.read_bytes()[: content.index(b"Doe^Jane") + 3])
    elif where == "pixels":
        path.write_bytes(content[:-100])
    else:
        path.write_bytes(content.replace(b"DS", b"ZZ"))
    assert "Doe" not in reason(folder)


def test_what_is_packed_as_a_whole_is_read_or_refused(tmp_path: Path) -> None:
    folder = series(tmp_path / "T1")
    for path in folder.iterdir():
        packed = pydicom.dcmread(path)
        packed.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
        packed.save_as(path)
    assert np.array_equal(read(folder).voxels, VOXELS)
    path.write_bytes(path.read_bytes()[:-40])
    assert path.name in reason(folder)
