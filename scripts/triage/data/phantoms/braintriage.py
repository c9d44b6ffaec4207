"""Phantom raw data of the braintriage study: MR volumes of normal and abnormal heads.

The folder is laid out as the real one: ``train/full/{normal,abnormal}/<id>/{T1,T2,T2-FLAIR}.mha``
and, without labels, ``final_test_set/<id>/...``. Every file's header says that it is a phantom.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from triage.data.phantoms.brain_anatomy import tissue_maps
from triage.data.phantoms.brain_findings import Finding, add_findings, draw_benign, draw_lesions
from triage.data.phantoms.brain_scan import SEQUENCES, Scanner
from triage.data.phantoms.brain_shape import Grid, Head, draw_head, locate
from triage.data.phantoms.drawing import generator
from triage.data.phantoms.folder import MARK, clear, each
from triage.data.phantoms.settings import Braintriage as Settings
from triage.errors import UserError
from triage.files import atomic

CLASSES = ("normal", "abnormal")
FIRST_TEST_NUMBER = 5001  # so that no patient's number changes when the cohort grows
COVERAGE = (-52.0, 80.0)  # mm below and above the middle of the brain
FIELD_OF_VIEW = (224.0, 240.0)  # mm, the range over patients
SLAB_VOXELS = 2**18  # made at once: bounds the memory at any volume size


@dataclass(frozen=True)
class Patient:
    """One patient of a cohort. With the seed, it decides all that is drawn for its files."""

    index: int  # among the labelled, or among the others
    labelled: bool
    abnormal: bool

    @property
    def folder(self) -> Path:
        """Where its files lie in the raw data."""
        if self.labelled:
            return Path("train", "full", CLASSES[self.abnormal], f"{self.index + 1:04d}")
        return Path("final_test_set", f"{self.index + FIRST_TEST_NUMBER:04d}")

    def rng(self, seed: int, purpose: str) -> np.random.Generator:
        """What is drawn of it for a purpose."""
        return generator(seed, self.labelled, self.index, purpose)


def generate(settings: Settings, folder: Path, workers: int = 1) -> None:
    """Write the cohort into ``folder``, with the promises of ``folder.write``."""
    patients = cohort(settings)
    targets = [
        folder / patient.folder / f"{name}.mha" for patient in patients for name in SEQUENCES
    ]
    clear(folder, set(targets))
    each(write_patient, [(settings, patient, folder) for patient in patients], workers)


def cohort(settings: Settings) -> list[Patient]:
    """All patients, the labelled first. Each pair has one of each class, in random order."""
    if settings.patients >= FIRST_TEST_NUMBER:
        raise UserError(
            f"{settings.patients} patients are too many",
            where="phantoms.braintriage.patients",
            remedy=f"set at most {FIRST_TEST_NUMBER - 1}",
        )
    parts = [(True, settings.patients), (False, settings.test_patients)]
    return [
        Patient(index, labelled, _is_abnormal(settings.seed, labelled, index))
        for labelled, count in parts
        for index in range(count)
    ]


def write_patient(settings: Settings, patient: Patient, folder: Path) -> None:
    """Write the three files of one patient, as compressed MetaImages of int16."""
    voxels, grid = volumes(settings, patient)
    for name in SEQUENCES:
        image = sitk.GetImageFromArray(voxels[name])
        image.SetSpacing((grid.pixel, grid.pixel, grid.thickness))
        image.SetOrigin([float(axis[0]) for axis in (grid.x, grid.y, grid.z)])
        image.SetMetaData("Comment", MARK)
        with atomic(folder / patient.folder / f"{name}.mha") as partial:
            sitk.WriteImage(image, str(partial), useCompression=True)


def volumes(settings: Settings, patient: Patient) -> tuple[dict[str, NDArray[np.int16]], Grid]:
    """A patient's voxels by sequence, each [slices, size, size], and where they lie."""
    head, findings = person(settings, patient)
    grid = _grid(settings, patient.rng(settings.seed, "grid"))
    scanner = Scanner(patient.rng(settings.seed, "scan"))
    slabs = []
    for slab in _slabs(grid):
        place = locate(head, slab)
        maps = tissue_maps(head, slab, place)
        add_findings(maps, head, findings, slab, place)
        slabs.append(scanner.scan(maps, slab))
    return {name: np.concatenate([slab[name] for slab in slabs]) for name in SEQUENCES}, grid


def person(settings: Settings, patient: Patient) -> tuple[Head, list[Finding]]:
    """A patient's head and all that is to be found in it; the same at any resolution."""
    head = draw_head(patient.rng(settings.seed, "head"))
    findings = draw_benign(head, patient.rng(settings.seed, "benign"))
    if patient.abnormal:
        rng = patient.rng(settings.seed, "lesions")
        findings += draw_lesions(head, settings.difficulty, rng)
    return head, findings


def _is_abnormal(seed: int, labelled: bool, index: int) -> bool:
    pair, second = divmod(index, 2)
    coin = Patient(pair, labelled, False).rng(seed, "class").integers(2)
    return bool(coin ^ second)


def _grid(settings: Settings, rng: np.random.Generator) -> Grid:
    """Axial slices, their axes along LPS, the head about in the middle."""
    pixel = rng.uniform(*FIELD_OF_VIEW) / settings.size
    shift = rng.uniform(-4, 4)
    thickness = (COVERAGE[1] - COVERAGE[0]) / settings.slices
    across = ((np.arange(settings.size) - (settings.size - 1) / 2) * pixel).astype(np.float32)
    up = COVERAGE[0] + shift + (np.arange(settings.slices) + 0.5) * thickness
    return Grid(up.astype(np.float32), across, across, float(pixel), float(thickness))


def _slabs(grid: Grid) -> Iterator[Grid]:
    step = max(1, SLAB_VOXELS // (len(grid.y) * len(grid.x)))
    for first in range(0, len(grid.z), step):
        yield grid.slab(slice(first, first + step))
