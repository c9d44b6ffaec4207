"""Volumes of every format: right voxels in the right place, or refused, also where it is hostile.

Most of the files here came out wrong in public programs, each for a kind of fault.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import MRImageStorage

from scans import voxels
from triage.data.formats.volume import Volume
from triage.data.readers import BadFile, volume_files, volumes

SEQUENCES = ("T1", "T2", "T2-FLAIR")
VOXELS = voxels(3)  # [6, 20, 18]
RAS = np.diag([1.0, 1.0, 5.0, 1.0])
RAS[:3, 3] = [-8.5, -9.5, -12.5]


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


# --- MetaImage

HEADER = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "1 2 3",
    "ElementSpacing": "1 1 5",
    "DimSize": "18 20 6",
    "ElementType": "MET_SHORT",
}
SECRET = b"-----BEGIN PRIVATE KEY-----".ljust(VOXELS.nbytes + 64, b"k")


def metaimage(path: Path, *lines: str, data: bytes | None = None, **changes: str) -> Path:
    """``lines`` stand behind the header's own, before ElementDataFile."""
    own = {"ElementDataFile": "LOCAL"} | changes
    last = own.pop("ElementDataFile")
    fields = [f"{key} = {value}" for key, value in (HEADER | own).items()]
    head = "\n".join([*fields, *lines, f"ElementDataFile = {last}"]) + "\n"
    path.write_bytes(head.encode() + (VOXELS.astype("<i2").tobytes() if data is None else data))
    return path


@pytest.mark.parametrize(
    "lines",
    [
        ["ElementDataFile = secret.key"],
        ["ElementDataFile = T1.mha"],
        ["ElementDataFile: secret.key"],
        ["Comment: x = y"],
        ["Offset ="],
        ["Color =", "ElementDataFile = secret.key"],
        ["ElementMin =", "ElementMax = 4"],
        ["ElementMin = ", "ElementDataFile = ../secret.key"],
        ["Offset = 1 2 3"],
        ["DimSize = 18 20 6"],
        ["Position = 4 5 6"],
        ["Orientation = 0 1 0 1 0 0 0 0 1"],
        ["ElementByteOrderMSB = True"],
        ["HeaderSize = 4"],
        ["HeaderSize = -2"],
        ["HeaderSize = 99999999"],
        ["HeaderSize = 1e3"],
        ["ElementNumberOfChannels = 3"],
        ["ElementToIntensityFunctionSlope = 2"],
        ["DimSize : 1 1 1"],
        ["= 4"],
        ["ElementSize = 1 1"],
    ],
)
def test_a_header_that_can_be_taken_in_two_ways_is_refused(
    tmp_path: Path, lines: list[str]
) -> None:
    (tmp_path / "secret.key").write_bytes(SECRET)
    assert reason(metaimage(tmp_path / "T1.mha", *lines))


@pytest.mark.parametrize("header_size", ["", "0", "-1", "12"])
@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../secret.key", "above/secret.key", ".hidden", "LIST", "LIST 2", "%d.raw 1 2",
     "%s", "..", ".", "//secret.key"],
)  # fmt: skip
def test_a_header_leads_to_no_other_file_than_one_beside_it(
    tmp_path: Path, name: str, header_size: str
) -> None:
    folder = tmp_path / "case"
    (folder / "above").mkdir(parents=True)
    for place in (tmp_path / "secret.key", folder / "above/secret.key", folder / ".hidden"):
        place.write_bytes(SECRET)
    lines = [f"HeaderSize = {header_size}"] if header_size else []
    path = metaimage(folder / "T1.mha", *lines, ElementDataFile=name)
    assert "takes its voxels from" in reason(path)
    assert volume_files.data_file(path) == ""


@pytest.mark.parametrize(("header_size", "before"), [(0, 0), (-1, 37), (37, 37)])
@pytest.mark.parametrize("kind", ["MET_SHORT", "MET_LONG"])
def test_bytes_before_and_behind_the_voxels_are_passed_over(
    tmp_path: Path, header_size: int, before: int, kind: str
) -> None:
    stored = VOXELS.astype({"MET_SHORT": "<i2", "MET_LONG": "<i4"}[kind]).tobytes()
    behind = b"" if header_size == -1 else b"behind"
    (tmp_path / "own.raw").write_bytes(bytes(before) + stored + behind)
    path = metaimage(
        tmp_path / "T1.mhd", f"HeaderSize = {header_size}",
        ElementDataFile="own.raw", ElementType=kind, data=b"",
    )  # fmt: skip
    found = read(path)
    assert np.array_equal(found.voxels, VOXELS)
    assert np.array_equal(found.voxels, sitk.GetArrayViewFromImage(sitk.ReadImage(path)))
    assert volume_files.data_file(path) == "own.raw"


def test_a_field_of_ones_own_does_no_harm(tmp_path: Path) -> None:
    lines = ["0008|0060 = MR", "Comment =", "Site = a = b", "ElementSize = 1 1 4"]
    found = read(metaimage(tmp_path / "T1.mha", *lines))
    assert np.array_equal(found.voxels, VOXELS)
    assert (found.spacing, found.origin) == ((1, 1, 5), (1, 2, 3))


# --- NIfTI


def nifti(path: Path, change: Callable[[nibabel.Nifti1Header], object] | None = None) -> Path:
    """VOXELS of 1 x 1 x 5 mm whose header has neither sform nor qform, or is changed."""
    header = nibabel.Nifti1Header()
    header.set_data_shape(VOXELS.shape[::-1])
    header.set_data_dtype(np.int16)
    header.set_zooms((1, 1, 5))
    header["vox_offset"] = 352
    if change:
        change(header)
    content = header.binaryblock + bytes(4) + VOXELS.astype("<i2").tobytes()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def coded(header: nibabel.Nifti1Header) -> None:
    header.set_sform(RAS, 1)


def test_without_any_code_axes_run_to_the_right_to_the_front_and_upwards(tmp_path: Path) -> None:
    nifti(tmp_path / "coded/T1.nii.gz", coded)
    nifti(tmp_path / "none/T1.nii.gz")
    images = []
    for kind in ("coded", "none"):
        found = read(tmp_path / f"{kind}/T1.nii.gz")
        images.append(sitk.GetArrayFromImage(sitk.DICOMOrient(found.image(), "LPS")))
        assert found.is_placed == (kind == "coded")
    assert np.array_equal(*images)


def test_a_place_that_is_said_is_not_mixed_with_one_that_is_assumed(tmp_path: Path) -> None:
    files = {name: f"{name}.nii" for name in SEQUENCES}
    for name in SEQUENCES:
        nifti(tmp_path / files[name], None if name == "T2" else coded)
    with pytest.raises(BadFile, match="it has no sform and no qform") as caught:
        volumes.load(tmp_path, files)
    assert caught.value.file == "T2.nii"


def test_the_sform_alone_counts_where_there_is_one(tmp_path: Path) -> None:
    def change(header: nibabel.Nifti1Header) -> None:
        coded(header)
        header.set_qform(np.diag([-2.0, 2.0, 2.0, 1.0]), 1)
        header["pixdim"][1] = -1

    found = read(nifti(tmp_path / "T1.nii", change))
    np.testing.assert_allclose(found.direction, np.diag([-1, -1, 1]).ravel())
    assert (found.spacing, found.origin) == ((1, 1, 5), (8.5, 9.5, -12.5))


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("micron", 0.001), ("mm", 1)])
def test_lengths_are_brought_to_millimetres(tmp_path: Path, unit: str, factor: float) -> None:
    def change(header: nibabel.Nifti1Header) -> None:
        coded(header)
        header.set_xyzt_units(unit)

    found = read(nifti(tmp_path / "T1.nii", change))
    np.testing.assert_allclose(found.spacing, np.array([1, 1, 5]) * factor)
    np.testing.assert_allclose(found.origin, np.array([8.5, 9.5, -12.5]) * factor)


def test_axes_a_little_off_a_right_angle_are_set_right(tmp_path: Path) -> None:
    def change(header: nibabel.Nifti1Header) -> None:
        off = RAS.copy()
        off[0, 1] = 3e-4
        header.set_sform(off, 1)

    found = read(nifti(tmp_path / "T1.nii", change))
    direction = np.array(found.direction).reshape(3, 3)
    np.testing.assert_allclose(direction @ direction.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(direction, np.diag([-1, -1, 1]), atol=3e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda header: header.set_sform(RAS + np.eye(4)[[1, 0, 2, 3]], 1), "right angles"),
        (lambda header: header.set_sform(np.zeros((4, 4)), 1), "must be above 0"),
        (lambda header: header.__setitem__("magic", b"ni1"), "one of a pair"),
        (lambda header: header.__setitem__("vox_offset", 8), "no good NIfTI"),
        (lambda header: header.__setitem__("vox_offset", 1e30), "begin at byte"),
        (lambda header: header.set_data_shape((18, 20)), "2 dimensions"),
        (lambda header: header.set_data_shape((18, 20, 3, 2)), "4 dimensions"),
        (lambda header: header.set_data_dtype("RGB"), "no type of a grey voxel"),
        (lambda header: header.set_data_dtype(np.complex64), "complex"),
        (lambda header: header.__setitem__("datatype", 999), "no good NIfTI"),
        (lambda header: header.__setitem__("pixdim", np.nan), "above 0"),
    ],
)
def test_headers_of_niftis_that_make_no_volume_are_refused(
    tmp_path: Path, change: Callable[[nibabel.Nifti1Header], object], words: str
) -> None:
    assert words in reason(nifti(tmp_path / "T1.nii", change))


def test_packed_niftis_may_have_bytes_behind_them_and_several_parts(tmp_path: Path) -> None:
    whole = nifti(tmp_path / "T1.nii", coded).read_bytes()
    path = tmp_path / "T2.NII.gz"
    for content in (
        gzip.compress(whole) + b"some bytes",
        gzip.compress(whole) + bytes(512),
        gzip.compress(whole[:1000]) + gzip.compress(whole[1000:]),
    ):
        path.write_bytes(content)
        assert np.array_equal(read(path).voxels, VOXELS)
    path.write_bytes(gzip.compress(whole[:1000]) + b"x" + gzip.compress(whole[1000:]))
    assert "cut short" in reason(path)
    path.write_bytes(gzip.compress(whole + bytes(1 << 25)))
    assert "holds more than" in reason(path)


# --- DICOM


def slice_(i: int, array: np.ndarray, **changes: object) -> pydicom.Dataset:
    """One MR slice of 16 bits, 5 mm above the one before it."""
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = MRImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = f"1.2.3.4.{i + 1}"
    fields = {
        "Modality": "MR", "PatientName": "Doe^Jane", "PatientID": "77",
        "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4",
        "FrameOfReferenceUID": "1.2.3.5", "InstanceNumber": 99 - i,
        "ImagePositionPatient": [0, 0, 5 * i], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [2, 1], "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "Rows": array.shape[0], "Columns": array.shape[1], "BitsAllocated": 16, "BitsStored": 16,
        "HighBit": 15, "PixelRepresentation": 0, "PixelData": array.astype("<u2").tobytes(),
    }  # fmt: skip
    for key, value in (fields | changes).items():
        if value is not None:
            setattr(data, key, value)
    data["PixelData"].VR = "OW"
    return data


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


def test_what_is_packed_as_a_whole_is_not_unpacked(tmp_path: Path) -> None:
    folder = series(tmp_path / "T1")
    path = folder / "IM0"
    deflated = pydicom.dcmread(path)
    deflated.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    deflated.save_as(path)
    assert "packed as a whole" in reason(folder)
