"""The generated brain volumes: layout, bytes, anatomy, and lesions that are there to be found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from triage.data.phantoms import braintriage
from triage.data.phantoms.brain_anatomy import tissue_maps
from triage.data.phantoms.brain_findings import Finding, add_findings, draw_lesions
from triage.data.phantoms.brain_scan import SEQUENCES, Scanner
from triage.data.phantoms.brain_shape import Grid, draw_head, locate, surface_depth, ventricle_depth
from triage.data.phantoms.braintriage import Patient, Settings, cohort, generate, volumes
from triage.data.phantoms.folder import MARK
from triage.errors import UserError

SMALL = Settings(seed=3, patients=4, test_patients=2, size=32, slices=6, difficulty=0.5)
DEMO = dataclasses.replace(SMALL, patients=24, size=64, slices=12)
HEAD = draw_head(np.random.default_rng(5))


def contents(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@cache
def scan(settings: Settings, patient: Patient) -> dict[str, np.ndarray]:
    return volumes(settings, patient)[0]


@cache
def lesions(difficulty: float) -> list[list[Finding]]:
    """The lesions of each of 60 abnormal patients."""
    generators = [np.random.default_rng(seed) for seed in range(60)]
    return [draw_lesions(HEAD, difficulty, rng) for rng in generators]


def test_layout_is_that_of_the_study(tmp_path: Path) -> None:
    generate(SMALL, tmp_path)
    found = sorted(contents(tmp_path))
    names = sorted(f"{name}.mha" for name in SEQUENCES)
    folders = sorted({Path(path).parent.as_posix() for path in found})
    assert found == sorted(f"{folder}/{name}" for folder in folders for name in names)
    classes = [folder.split("/")[2] for folder in folders if folder.startswith("train/full/")]
    assert sorted(classes) == ["abnormal"] * 2 + ["normal"] * 2
    assert [folder for folder in folders if folder.startswith("final_test_set/")] == [
        "final_test_set/5001",
        "final_test_set/5002",
    ]


def test_volumes_have_the_geometry_of_axial_scans(tmp_path: Path) -> None:
    generate(SMALL, tmp_path)
    for patient in cohort(SMALL):
        images = [sitk.ReadImage(str(tmp_path / patient.folder / f"{s}.mha")) for s in SEQUENCES]
        first = images[0]
        for image in images:
            assert image.GetPixelID() == sitk.sitkInt16
            assert image.GetSize() == (32, 32, 6)
            assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
            assert image.GetSpacing() == first.GetSpacing()
            assert image.GetOrigin() == first.GetOrigin()
            assert 220 < 32 * image.GetSpacing()[0] < 245
            assert image.GetSpacing()[2] == pytest.approx(132 / 6)
            # What a reader gets back is what was drawn.
        voxels = scan(SMALL, patient)
        for name, image in zip(SEQUENCES, images, strict=True):
            np.testing.assert_array_equal(sitk.GetArrayFromImage(image), voxels[name])


def test_bytes_depend_on_neither_workers_nor_what_was_there(tmp_path: Path) -> None:
    generate(SMALL, tmp_path / "one")
    generate(dataclasses.replace(SMALL, seed=4, patients=6), tmp_path / "two")
    other = contents(tmp_path / "two")
    generate(SMALL, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(other) == 24
    assert not set(other.values()) & set(contents(tmp_path / "one").values())
    assert all(any(folder.iterdir()) for folder in tmp_path.rglob("*") if folder.is_dir())


def test_a_case_does_not_depend_on_the_size_of_its_cohort(tmp_path: Path) -> None:
    generate(dataclasses.replace(SMALL, patients=2, test_patients=1), tmp_path / "few")
    generate(SMALL, tmp_path / "many")
    few, many = contents(tmp_path / "few"), contents(tmp_path / "many")
    assert few.items() < many.items()


def test_phantoms_are_not_written_among_real_data(tmp_path: Path) -> None:
    real = tmp_path / "train/full/normal/P1/T1.mha"
    real.parent.mkdir(parents=True)
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((2, 4, 4), np.int16)), str(real))
    with pytest.raises(UserError, match="is not a phantom"):
        generate(SMALL, tmp_path)
    assert list(contents(tmp_path)) == ["train/full/normal/P1/T1.mha"]


def test_every_file_says_that_it_is_a_phantom(tmp_path: Path) -> None:
    generate(dataclasses.replace(SMALL, patients=2, test_patients=1), tmp_path)
    for path in tmp_path.rglob("*.mha"):
        assert f"Comment = {MARK}\n".encode() in path.read_bytes()


@given(patients=st.integers(0, 60), others=st.integers(0, 20), seed=st.integers(0, 2**31 - 1))
def test_classes_are_balanced_and_cases_unique(patients: int, others: int, seed: int) -> None:
    settings = dataclasses.replace(SMALL, seed=seed, patients=patients, test_patients=others)
    everyone = cohort(settings)
    for labelled, count in ((True, patients), (False, others)):
        part = [patient for patient in everyone if patient.labelled is labelled]
        assert len(part) == count
        abnormal = sum(patient.abnormal for patient in part)
        assert abs(2 * abnormal - count) <= 1
    assert len({patient.folder.name for patient in everyone}) == len(everyone)


def test_numbers_do_not_give_the_class_away() -> None:
    classes = [patient.abnormal for patient in cohort(dataclasses.replace(SMALL, patients=200))]
    even = np.mean(classes[::2])
    assert 0.35 < even < 0.65


def test_too_large_a_cohort_is_refused() -> None:
    with pytest.raises(UserError, match="at most 5000"):
        cohort(dataclasses.replace(SMALL, patients=5001))


def grid(size: int = 64, slices: int = 12) -> Grid:
    across = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * np.float32(230 / size)
    up = np.linspace(-48, 76, slices, dtype=np.float32)
    return Grid(up, across, across, 230 / size, 124 / slices)


def test_tissues_share_every_voxel() -> None:
    for seed in range(3):
        maps = tissue_maps(draw_head(np.random.default_rng(seed)), grid())
        total = np.sum(list(maps.values()), axis=0)
        np.testing.assert_allclose(total, 1, atol=1e-5)
        assert all(share.min() >= 0 for share in maps.values())
        assert maps["air"][:, 0].min() == 1  # the head lies within the picture
        assert 0.5 < maps["grey"].sum() / maps["white"].sum() < 1.5


def test_tissue_contrast_has_the_order_of_each_sequence() -> None:
    for seed in range(4):
        head, where = draw_head(np.random.default_rng(seed)), grid(96, 8)
        maps = tissue_maps(head, where)
        pure = {name: share > 0.98 for name, share in maps.items()}
        scans = Scanner(np.random.default_rng(seed)).scan(maps, where)
        t1, t2, flair = (
            {tissue: scans[name][pure[tissue]].mean() for tissue in ("csf", "grey", "white")}
            for name in SEQUENCES
        )
        assert t1["white"] > t1["grey"] > t1["csf"]
        assert t2["csf"] > t2["grey"] > t2["white"]
        assert flair["grey"] > flair["white"] > flair["csf"]


def test_a_lesion_is_bright_in_t2_and_flair_and_dark_in_t1() -> None:
    head, where = draw_head(np.random.default_rng(0)), grid(96, 16)
    place = locate(head, where)
    healthy = tissue_maps(head, where, place)
    sick = {name: share.copy() for name, share in healthy.items()}
    finding = Finding("lesion", (25.0, 20.0, 35.0), (9.0, 9.0, 9.0), 1.0)
    add_findings(healthy, head, [], where, place)
    add_findings(sick, head, [finding], where, place)
    spot = (sick["lesion"] > 0.9) & (healthy["lesion"] < 0.1)
    assert spot.sum() > 10
    before, after = (Scanner(np.random.default_rng(1)).scan(m, where) for m in (healthy, sick))
    change = {name: (after[name][spot].mean() / before[name][spot].mean()) for name in SEQUENCES}
    assert change["T1"] < 0.85
    assert change["T2"] > 1.3
    assert change["T2-FLAIR"] > 1.5


def test_a_head_looks_alike_at_every_resolution() -> None:
    head = draw_head(np.random.default_rng(0))
    fine, coarse = tissue_maps(head, grid(192, 4)), tissue_maps(head, grid(96, 4))
    for tissue in ("csf", "grey", "white", "skull"):
        halved = fine[tissue].reshape(4, 96, 2, 96, 2).mean(axis=(2, 4))
        assert np.corrcoef(halved.ravel(), coarse[tissue].ravel())[0, 1] > 0.95


def test_slabs_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    patient = cohort(SMALL)[0]
    whole = volumes(SMALL, patient)[0]
    monkeypatch.setattr(braintriage, "SLAB_VOXELS", 32 * 32 * 2)
    monkeypatch.setattr("triage.data.phantoms.brain_scan.NOISE", (0.0, 0.0))
    pieces = volumes(SMALL, patient)[0]
    monkeypatch.undo()
    monkeypatch.setattr("triage.data.phantoms.brain_scan.NOISE", (0.0, 0.0))
    smooth = volumes(SMALL, patient)[0]
    for name in SEQUENCES:
        assert np.abs(pieces[name] - smooth[name]).max() <= 1  # rounding
        assert np.abs(pieces[name] - whole[name]).max() > 1  # the noise


def bright_share(voxels: dict[str, np.ndarray]) -> float:
    """Share of a volume that is bright in FLAIR and in T2 and no fluid or scalp: lesion-like."""
    flair, t2 = voxels["T2-FLAIR"], voxels["T2"]
    return float(np.mean((flair > 650) & (t2 > 480)))


def test_abnormal_patients_have_more_bright_tissue() -> None:
    shares: dict[bool, list[float]] = {False: [], True: []}
    for patient in cohort(DEMO):
        shares[patient.abnormal].append(bright_share(scan(DEMO, patient)))
    assert np.mean(shares[True]) > 3 * np.mean(shares[False])
    assert min(shares[True]) <= max(shares[False])  # not every patient is easy


@pytest.mark.parametrize(
    "measure", [lambda lesion: lesion.visibility, lambda lesion: np.mean(lesion.radii)]
)
def test_difficulty_takes_contrast_and_size_away(measure: Callable[[Finding], float]) -> None:
    easy, middle, hard = (
        np.mean([measure(lesion) for found in lesions(difficulty) for lesion in found])
        for difficulty in (0.0, 0.5, 1.0)
    )
    assert easy > 1.1 * middle > 1.1**2 * hard


def test_difficulty_hides_some_patients_but_not_all() -> None:
    for difficulty, fewest, most in ((0.0, 0, 0), (0.5, 5, 25), (1.0, 40, 59)):
        best = [max(lesion.visibility for lesion in found) for found in lesions(difficulty)]
        assert fewest <= sum(visibility < 0.5 for visibility in best) <= most


def test_lesions_vary_in_number_size_and_place() -> None:
    found = lesions(0.5)
    counts = [len(each) for each in found]
    radii = [np.mean(lesion.radii) for each in found for lesion in each]
    assert min(counts) >= 1
    assert max(counts) >= min(counts) + 8
    assert max(radii) > 4 * min(radii)
    centres = np.array([lesion.centre for each in found for lesion in each])
    fluid = -ventricle_depth(HEAD, *centres.T)
    depth = surface_depth(HEAD, *centres.T)
    assert fluid.min() > 0  # none of them lies in the ventricles, none outside the brain
    assert depth.min() > 0
    assert (fluid < 7).mean() > 0.2  # periventricular
    assert (depth < 13).mean() > 0.1  # juxtacortical
