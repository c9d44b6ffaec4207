"""Channels of volumes: any number, of files or of windows, on a grid and spacing of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scans import make_index, settings, volume, voxels, write, write_patient
from triage.data.readers import Loading, volumes
from volume_index import FILES, load


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
