"""Reader of three brain MRI sequences a patient, with a folder a class.

    train/full/<class>/<patient>/<sequence>      final_test_set/<patient>/<sequence>  (no labels)

where <sequence> is T1, T2 and T2-FLAIR, each a ``.mha``, ``.mhd`` (with its raw file), ``.nii``
or ``.nii.gz`` file or a folder of DICOM files. The three may differ in geometry: T1 and T2 are
brought onto the grid of T2-FLAIR by the scanner's coordinates.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk

from triage.command import log
from triage.data import inventory, voxels
from triage.data.readers import BadFile, Case, Grouping, IndexSettings, Problem, volume_files
from triage.data.readers.volume_files import Volume
from triage.errors import UserError

SEQUENCES = ("T1", "T2", "T2-FLAIR")  # the channels, in this order
REFERENCE = "T2-FLAIR"
TRAINING = "train/full"
TEST = "final_test_set"
_SAME_GRID = 0.01  # voxels by which the corners of two grids may differ and still be the same
_MIN_OVERLAP = 0.25  # share of the reference grid that another sequence has to cover


class _Patient(NamedTuple):
    partition: str
    label: str
    name: str

    @property
    def folder(self) -> str:
        above = f"{TRAINING}/{self.label}" if self.partition == "train" else TEST
        return f"{above}/{self.name}"


def find(
    raw: Path, paths: Sequence[str], settings: IndexSettings
) -> tuple[list[Case], list[Problem]]:
    """The patients among ``paths``, and what is wrong with the rest.

    Raises UserError for a folder that is no class, a patient in two classes, or no patient.
    """
    patients, problems = _collect(raw, paths, settings)
    _check_once(raw, patients)
    group = Grouping(settings.group)
    cases = []
    for patient, contents in patients.items():
        files, reason = _choose(contents)
        if reason:
            problems.append(Problem(patient.folder, patient.name, reason))
            continue
        name, label, part = patient.name, patient.label, patient.partition
        files = {role: f"{patient.folder}/{file}" for role, file in files.items()}
        cases.append(Case(name, group(name), label, part, files))
    return cases, problems


def _collect(
    raw: Path, paths: Sequence[str], settings: IndexSettings
) -> tuple[dict[_Patient, set[str]], list[Problem]]:
    """Each patient's folder with the names of what is in it; files that lie between folders."""
    patients: dict[_Patient, set[str]] = defaultdict(set)
    problems: list[Problem] = []
    outside: list[str] = []
    for path in paths:
        match path.split("/"):
            case ["train", "full", label, name, *rest] if rest:
                if label not in settings.classes:
                    raise _unknown_class(raw / TRAINING / label, settings)
                patients[_Patient("train", label, name)].add(rest[0])
            case [folder, name, *rest] if folder == TEST and rest:
                patients[_Patient("test", "", name)].add(rest[0])
            case ["train", "full", *_] | ["final_test_set", *_]:
                problems.append(Problem(path, "", "is in no patient's folder"))
            case _:
                outside.append(path)
    if not patients:
        raise _no_patients(raw, outside, settings)
    if outside:
        log.info("%d file(s) outside %s and %s are not used", len(outside), TRAINING, TEST)
    problems += _empty_folders(raw, patients, settings)
    return patients, problems


def _why_empty(folder: Path) -> str:
    """Why no file of a folder is known."""
    try:
        os.listdir(folder)  # noqa: PTH208 (it asks for no more than the names)
    except OSError as error:
        return f"can't be read ({error.strerror})"
    return "is an empty folder"


def _empty_folders(
    raw: Path, patients: Iterable[_Patient], settings: IndexSettings
) -> list[Problem]:
    known = {patient.folder for patient in patients}
    problems = []
    for above in (*(f"{TRAINING}/{label}" for label in settings.classes), TEST):
        try:
            folders = [entry.name for entry in os.scandir(raw / above) if entry.is_dir()]
        except OSError:
            continue  # no such folder: a class without patients is found out later
        problems += [
            Problem(f"{above}/{name}", name, _why_empty(raw / above / name))
            for name in sorted(map(inventory.plain, folders))
            if f"{above}/{name}" not in known and not inventory.is_hidden(name)
        ]
    return problems


def _check_once(raw: Path, patients: Iterable[_Patient]) -> None:
    folders: dict[str, list[str]] = defaultdict(list)
    for patient in patients:
        folders[patient.name].append(patient.folder)
    doubled = {name: where for name, where in sorted(folders.items()) if len(where) > 1}
    if doubled:
        lines = [f"{name}: {', '.join(where)}" for name, where in list(doubled.items())[:5]]
        raise UserError(
            f"{len(doubled)} patient(s) in more than one folder: " + "; ".join(lines),
            where=raw,
            remedy="keep each patient in the one folder where it belongs, or rename one of the two",
        )


def gather(paths: Sequence[str]) -> tuple[list[Case], list[Problem]]:
    """Each folder with one of the sequences as a case; files of no sequence are problems."""
    folders: dict[str, set[str]] = defaultdict(set)
    problems = []
    for path in paths:
        parts = path.split("/")
        place = next((i for i, part in enumerate(parts) if _stem(part) in SEQUENCES), None)
        if place is not None:
            folders["/".join(parts[:place])].add(parts[place])
        elif not path.lower().endswith((".raw", ".zraw")):  # these belong to a header
            problems.append(Problem(path, path, f"is none of {', '.join(SEQUENCES)}"))
    cases = []
    for folder, contents in folders.items():
        files, reason = _choose(contents)
        if reason:
            problems.append(Problem(folder, folder, reason))
            continue
        files = {role: f"{folder}/{file}".lstrip("/") for role, file in files.items()}
        cases.append(Case(folder, folder, "", "", files))
    return cases, problems


def _choose(contents: set[str]) -> tuple[dict[str, str], str]:
    """The file or folder of each sequence; or why a patient lacks one."""
    found: dict[str, list[str]] = {sequence: [] for sequence in SEQUENCES}
    for name in sorted(contents):
        if (sequence := _stem(name)) in found:
            found[sequence].append(name)
    missing = [sequence for sequence, names in found.items() if not names]
    if missing:
        return {}, f"lacks {', '.join(missing)}; there are: {', '.join(sorted(contents))}"
    for sequence, names in found.items():
        if len(names) > 1:
            return {}, f"has {sequence} more than once: {', '.join(names)}"
    return {sequence: names[0] for sequence, names in found.items()}, ""


def _stem(name: str) -> str:
    for extension in volume_files.EXTENSIONS:
        if name.lower().endswith(extension):
            return name[: -len(extension)]
    return name


def _unknown_class(folder: Path, settings: IndexSettings) -> UserError:
    return UserError(
        f"{folder.name!r} is no class",
        where=folder,
        remedy=f"rename or move the folder; classes are {', '.join(settings.classes)}",
    )


def _no_patients(raw: Path, outside: list[str], settings: IndexSettings) -> UserError:
    remedy = f"expected {TRAINING}/{settings.classes[0]}/<patient>/T1.mha, T2.mha, T2-FLAIR.mha"
    for path in outside:
        above, marker, _ = f"/{path}".partition(f"/{TRAINING}/")
        if marker:
            remedy += f"; there is a {TRAINING} below {above.lstrip('/')}: set the raw folder to it"
            break
    return UserError("no patients found", where=raw, remedy=remedy)


# --- voxels


def beside(raw: Path, file: str) -> list[str]:
    """The file that a MetaImage header takes its voxels from."""
    name = volume_files.data_file(raw / file)
    folder = file.rpartition("/")[0]
    return [inventory.plain(f"{folder}/{name}".lstrip("/"))] if name else []


def load(raw: Path, files: Mapping[str, str]) -> np.ndarray:
    """A patient's slices from feet to head, [slices, 3, height, width].

    Channels are T1, T2, T2-FLAIR on the grid of T2-FLAIR, whose axes are turned to run from right
    to left, front to back and feet to head (LPS). Whole numbers stay whole. Raises BadFile.
    """
    scans = {sequence: _turned(raw, files[sequence]) for sequence in (REFERENCE, *SEQUENCES[:-1])}
    channels = [_on_grid(scans[each], scans[REFERENCE], files[each]) for each in SEQUENCES]
    for (first, one), (second, other) in combinations(zip(SEQUENCES, channels, strict=True), 2):
        if one.range == other.range and np.array_equal(one.voxels, other.voxels):
            raise BadFile(files[second], f"has the same voxels as {first}")
    kind = voxels.narrowest(*(channel.range for channel in channels))
    return np.stack([channel.voxels for channel in channels], axis=1, dtype=kind, casting="unsafe")


def _turned(raw: Path, file: str) -> Volume:
    volume = volume_files.read(raw, file)
    orientation = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines
    if orientation(volume.direction) == "LPS":
        return volume
    turned = Volume.of(sitk.DICOMOrient(volume.image(), "LPS"))
    return replace(turned, is_placed=volume.is_placed)


def _on_grid(volume: Volume, reference: Volume, file: str) -> Volume:
    """``volume`` on the grid of ``reference``, interpolated where the grids differ."""
    if volume.is_placed != reference.is_placed:
        which = REFERENCE if volume.is_placed else "it"
        reason = f"can't be laid on {REFERENCE}: {which} has no sform and no qform"
        raise BadFile(file, reason)
    if _same_grid(volume, reference):
        return volume
    covered = _coverage(volume, reference)
    if covered < _MIN_OVERLAP:
        raise BadFile(file, f"shows only {covered:.0%} of what {REFERENCE} shows")
    moved = Volume.of(
        sitk.Resample(
            volume.image(),
            reference.image(),
            sitk.Transform(),
            sitk.sitkLinear,
            0.0,
            sitk.sitkFloat32,
        )
    )
    if moved.range.low == moved.range.high:
        raise BadFile(file, f"is constant where {REFERENCE} is")
    if not volume.range.whole:
        return moved
    rounded = np.rint(moved.voxels)
    return replace(moved, voxels=rounded, range=voxels.range_of(rounded))


def _same_grid(one: Volume, other: Volume) -> bool:
    if one.size != other.size:
        return False
    corners = _sample_indices(other, points=2)
    there = _to_index(one, _to_physical(other, corners))
    return bool(np.abs(there - corners).max() < _SAME_GRID)


def _coverage(volume: Volume, reference: Volume) -> float:
    """The share of the voxels of ``reference`` that lie inside ``volume``."""
    indices = _to_index(volume, _to_physical(reference, _sample_indices(reference, points=32)))
    inside = (indices >= -0.5) & (indices <= np.array(volume.size) - 0.5)
    return float(inside.all(axis=1).mean())


def _sample_indices(volume: Volume, points: int) -> np.ndarray:
    """Indices of a regular grid of ``points`` per axis from corner to corner, [n, 3]."""
    axes = [np.linspace(0, size - 1, points) for size in volume.size]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _to_physical(volume: Volume, indices: np.ndarray) -> np.ndarray:
    return indices @ _index_to_mm(volume).T + np.array(volume.origin)


def _to_index(volume: Volume, points: np.ndarray) -> np.ndarray:
    return (points - np.array(volume.origin)) @ np.linalg.inv(_index_to_mm(volume)).T


def _index_to_mm(volume: Volume) -> np.ndarray:
    return np.array(volume.direction).reshape(3, 3) @ np.diag(volume.spacing)
