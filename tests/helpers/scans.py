"""Tiny scans in the layout of the brain MRI study, for tests."""

from __future__ import annotations

import locale
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from triage.data import index, inventory, manifest, shards
from triage.data.image_store import Images
from triage.data.index import Index
from triage.data.readers import Case, IndexSettings, Problem
from triage.data.shards import ImagesSettings
from triage.data.withdrawn import read_files
from triage.files import read_rows

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


@dataclass(frozen=True)
class Prepared:
    """What a study's first steps made of some raw files: its usable cases, and the rest."""

    raw: Path
    index: Index
    cases: list[Case]
    problems: list[Problem]
    manifest: Path

    def rows(self) -> list[dict[str, str]]:
        """Of the manifest."""
        return read_rows(self.manifest)


def make_index(raw: Path, withdrawn: Path | None = None, **changes: object) -> Prepared:
    """Index, one shard of images, and manifest of the files in ``raw``; all beside it."""
    how = settings(**changes)
    listing = raw.parent / "inventory.csv"
    inventory.write(raw, listing)
    found = index.make(raw, listing, withdrawn, how)
    [problems] = write_shards(raw, found, how, 1, processes=2)
    tables = raw.parent / "manifest.csv", raw.parent / "quarantine.csv"
    bad_files, counts = [raw.parent / "problems.csv", problems], raw.parent / "counts.csv"
    gone = [path for each in read_files(raw.parent / "files_withdrawn.csv") for path in each.parts]
    manifest.make(raw.parent / "cases.csv", bad_files, listing, how, raw, *tables, counts, gone)
    usable = {row["case"] for row in read_rows(tables[0])}
    cases = [case for case in found.cases if case.case in usable]
    bad = [Problem(**row) for row in read_rows(tables[1])]
    return Prepared(raw, found, cases, bad, tables[0])


def write_shards(
    raw: Path, found: Index, how: IndexSettings, count: int, processes: int = 1
) -> list[Path]:
    """Decode the cases of an index into ``count`` shards beside ``raw``; their problems' tables."""
    folder = raw.parent
    lists = [folder / f"cases-{i}.csv" for i in range(count)]
    tables = [folder / f"{name}.csv" for name in ("cases", "problems", "files_withdrawn")]
    found.write(*tables, lists)
    mode = "volume" if how.reader == "volumes" else "rgb"
    decoding = ImagesSettings(how.reader, None, mode, how.min_slices)
    problems = [folder / f"problems-{i}.csv" for i in range(count)]
    for i, bad in enumerate(problems):
        array, table = folder / f"shard-{i}.npy", folder / f"shard-{i}.csv"
        shards.make(raw, lists[i], decoding, array, table, bad, processes)
    return problems


def make_images(raw: Path, made: Prepared, count: int = 2) -> Images:
    """The images of ``made`` in ``count`` shards beside ``raw``."""
    write_shards(raw, made.index, settings(), count)
    paths = [raw.parent / f"shard-{i}.npy" for i in range(count)]
    return Images.open(paths, [path.with_suffix(".csv") for path in paths])


def real_data(study: str) -> Path:
    """The folder of a study's real images, which may not be there."""
    default = Path(__file__).resolve().parents[3] / "shared/data"
    return Path(os.environ.get("TRIAGE_REAL_DATA", default)) / study
