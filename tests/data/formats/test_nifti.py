"""NIfTI: voxels and places as the standard and nibabel have them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from scans import SEQUENCES, voxels
from triage.data.formats.volume import Volume
from triage.data.readers import BadFile, volume_files, volumes

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


@pytest.mark.parametrize("name", ["T1.NII", "T1.Nii.GZ", "T1.nii.GZ"])
def test_names_may_have_capitals(tmp_path: Path, name: str) -> None:
    whole = nifti(tmp_path / "T1.nii", coded).read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(whole) if "GZ" in name else whole)
    assert volume_files.is_volume(tmp_path / name)
    assert np.array_equal(read(tmp_path / name).voxels, read(tmp_path / "T1.nii").voxels)


def test_an_unknown_unit_is_a_millimetre(tmp_path: Path) -> None:
    def change(header: nibabel.Nifti1Header) -> None:
        coded(header)
        header["xyzt_units"] = 5 | 64

    np.testing.assert_allclose(read(nifti(tmp_path / "T1.nii", change)).spacing, (1, 1, 5))
