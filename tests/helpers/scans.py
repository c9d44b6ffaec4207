"""Tiny scans in the layout of the brain MRI study, for tests."""

from __future__ import annotations

import locale
import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from triage.data import index, inventory, shards
from triage.data.index import Index
from triage.data.readers import IndexSettings
from triage.data.shards import ImagesSettings
from triage.data.store import Images

SEQUENCES = ("T1", "T2", "T2-FLAIR")
SHAPE = (6, 20, 18)  # slices, height, width


def voxels(seed: int, shape: tuple[int, ...] = SHAPE, kind: type = np.int16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1000, shape).astype(kind)


def volume(array: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 3.0)) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    return image


def write(image: sitk.Image, path: Path, compressed: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), compressed)


def write_patient(folder: Path, seed: int, extension: str = ".mha") -> dict[str, np.ndarray]:
    """A patient of three sequences of noise; returns their voxels."""
    arrays = {name: voxels(10 * seed + i) for i, name in enumerate(SEQUENCES)}
    for name, array in arrays.items():
        write(volume(array), folder / f"{name}{extension}")
    return arrays


def write_series(image: sitk.Image, folder: Path) -> None:
    """One DICOM file a slice, as a scanner writes them."""
    folder.mkdir(parents=True)
    before = locale.setlocale(locale.LC_ALL)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    direction = image.GetDirection()
    across = "\\".join(f"{direction[i]:.9g}" for i in (0, 3, 6, 1, 4, 7))
    for i in range(image.GetDepth()):
        piece = image[:, :, i : i + 1]
        position = "\\".join(f"{x:.9g}" for x in image.TransformIndexToPhysicalPoint((0, 0, i)))
        tags = {
            "0008|0060": "MR",
            "0008|0018": f"1.2.3.4.{i}",
            "0010|0010": "Doe^Jane",
            "0020|000d": "1.2.3",
            "0020|000e": "1.2.3.4",
            "0020|0013": str(i + 1),
            "0020|0032": position,
            "0020|0037": across,
        }
        for tag, value in tags.items():
            piece.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{i:03}.dcm"))
        writer.Execute(piece)
    locale.setlocale(locale.LC_ALL, before)  # which the writer changes for the whole process


def write_cohort(raw: Path, each: int = 3, unlabelled: int = 2) -> dict[str, dict[str, np.ndarray]]:
    """``each`` patients a class and some without label; returns the voxels of each."""
    cohort = {}
    for number in range(2 * each + unlabelled):
        name = f"P{number:02}"
        above = ["train/full/normal", "train/full/abnormal", "final_test_set"][
            min(number // each, 2)
        ]
        cohort[name] = write_patient(raw / above / name, number)
    return cohort


def settings(**changes: object) -> IndexSettings:
    defaults = {
        "reader": "volumes",
        "classes": ("normal", "abnormal"),
        "group": None,
        "max_quarantined": 0.5,
        "min_slices": 4,
    }
    return IndexSettings(**defaults | changes)  # type: ignore[arg-type]


def make_index(raw: Path, withdrawn: Path | None = None, **changes: object) -> Index:
    listing = raw.parent / "inventory.csv"
    inventory.write(raw, listing)
    return index.make(raw, listing, withdrawn, settings(**changes), processes=2)


def make_images(raw: Path, made: Index, count: int = 2) -> Images:
    """The images of ``made`` in ``count`` shards beside ``raw``."""
    folder = raw.parent
    made.write(folder / "manifest.csv", folder / "quarantine.csv")
    arrays = [folder / f"shard-{i}.npy" for i in range(count)]
    tables = [folder / f"shard-{i}.csv" for i in range(count)]
    how = ImagesSettings("volumes", None, "volume", count)
    for i, (array, table) in enumerate(zip(arrays, tables, strict=True)):
        shards.make(raw, folder / "manifest.csv", i, how, array, table, processes=1)
    return Images.open(arrays, tables)


def real_data(study: str) -> Path:
    """The folder of a study's real images, which may not be there."""
    default = Path(__file__).resolve().parents[3] / "shared/data"
    return Path(os.environ.get("TRIAGE_REAL_DATA", default)) / study
