"""Volumes are turned one way and brought onto one grid, real ones too."""

from __future__ import annotations

from pathlib import Path

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
    write_patient,
)
from triage.data import groups, split
from triage.data.readers import reader
from triage.files import read_table
from volume_index import expected, load, reason


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
