"""Reader of volumes of one or more channels a patient, with a folder a class.

    train/full/<class>/<patient>/<channel>      final_test_set/<patient>/<channel>  (no labels)

Channels are three sequences of brain MRI, or those of the settings; each is a ``.mha``, ``.mhd``
(with its raw file), ``.nii`` or ``.nii.gz`` file or a folder of DICOM files. They may differ in
geometry: all are brought onto the grid of the last, or of the one that settings name, by the
scanner's coordinates.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from triage.command import log
from triage.data import inventory, voxels
from triage.data.counts import is_beside
from triage.data.formats import Refusal
from triage.data.formats.grid import on_grid, respaced, turned
from triage.data.formats.volume import Volume
from triage.data.readers import (
    SEQUENCES,
    USUAL,
    BadFile,
    Case,
    Found,
    Grouping,
    IndexSettings,
    Loading,
    Problem,
    volume_files,
)
from triage.errors import UserError

# What belongs to the header of a volume, and thumbnails.
_OF_VOLUMES = (".raw", ".zraw", ".png", ".jpg", ".jpeg")
TRAINING = "train/full"
TEST = "final_test_set"


class _Patient(NamedTuple):
    partition: str
    label: str
    name: str

    @property
    def folder(self) -> str:
        above = f"{TRAINING}/{self.label}" if self.partition == "train" else TEST
        return f"{above}/{self.name}"


def find(raw: Path, paths: Sequence[str], settings: IndexSettings) -> Found:
    """The patients among ``paths``, and what is wrong with the rest.

    Raises UserError for a folder that is no class, a patient in two classes, or no patient.
    """
    patients, problems = _collect(raw, paths, settings)
    _check_once(raw, patients)
    group, channels = Grouping(settings.group), settings.channels or SEQUENCES
    cases = []
    for patient, contents in patients.items():
        files, reason = _choose(contents, channels)
        problems += _unused(raw, patient.folder, contents, channels)
        if reason:
            problems.append(Problem(patient.folder, patient.name, reason))
            continue
        name, label, part = patient.name, patient.label, patient.partition
        files = {role: f"{patient.folder}/{file}" for role, file in files.items()}
        cases.append(Case(name, group(name), label, part, files))
    return cases, problems


def _collect(
    raw: Path, paths: Sequence[str], settings: IndexSettings
) -> tuple[dict[_Patient, dict[str, bool]], list[Problem]]:
    """Each patient's folder with the names of what is in it, and whether each is a folder.

    And the files that lie between folders.
    """
    patients: dict[_Patient, dict[str, bool]] = defaultdict(dict)
    problems: list[Problem] = []
    outside: list[str] = []
    for path in paths:
        match path.split("/"):
            case ["train", "full", label, name, *rest] if rest:
                if label not in settings.classes:
                    raise _unknown_class(raw / TRAINING / label, settings)
                patients[_Patient("train", label, name)][rest[0]] = len(rest) > 1
            case [folder, name, *rest] if folder == TEST and rest:
                patients[_Patient("test", "", name)][rest[0]] = len(rest) > 1
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


def gather(paths: Sequence[str], how: Loading = USUAL) -> Found:
    """The channels of each case: in a folder of their own, or after a name that they share.

    As in ``sub-01/T1.mha`` or ``sub-01_T1.mha``; volumes that are no channel are problems.
    """
    channels = how.channels or SEQUENCES
    found: dict[str, set[str]] = defaultdict(set)
    problems = []
    for path in paths:
        parts = path.split("/")
        for place, part in enumerate(parts):
            if (name := _before_channel(part, channels)) is not None:
                found["/".join([*parts[:place], name])].add(part)
                break
        else:
            if not (is_beside(path) or path.lower().endswith(_OF_VOLUMES)):
                problems.append(Problem(path, path, f"is none of {', '.join(channels)}"))
    cases = []
    for case, contents in found.items():
        above, _, name = case.rpartition("/")
        own = {each.removeprefix(name): each for each in contents}
        files, reason = _choose(set(own), channels)
        case = case[:-1]
        if reason:
            problems.append(Problem(case, case, reason))
            continue
        files = {role: f"{above}/{own[file]}".lstrip("/") for role, file in files.items()}
        cases.append(Case(case, case, "", "", files))
    return cases, problems


def _before_channel(name: str, channels: Sequence[str]) -> str | None:
    """What stands before a channel in a name: nothing, or a case's name and ``_``; or no channel"""
    stem = _stem(name)
    if is_beside(name):
        return None
    for channel in sorted(channels, key=len, reverse=True):
        if stem == channel:
            return ""
        if stem.endswith(f"_{channel}") and stem != name:
            return stem.removesuffix(channel)
    return None


def _unused(
    raw: Path, folder: str, contents: Mapping[str, bool], channels: Sequence[str]
) -> list[Problem]:
    """Files and folders of volumes in a patient's folder that are no channel."""
    others = [
        name
        for name, is_folder in contents.items()
        if _stem(name) not in channels and (is_folder or _stem(name) != name)
    ]
    if not others:
        return []
    chosen = [name for name in contents if _stem(name) in channels]
    parts = {volume_files.data_file(raw / folder / name) for name in chosen}
    reason = f"is no channel: these are {', '.join(channels)}"
    return [Problem(f"{folder}/{name}", "", reason) for name in sorted(others) if name not in parts]


def _choose(contents: Iterable[str], channels: Sequence[str]) -> tuple[dict[str, str], str]:
    """The file or folder of each channel; or why a case lacks one."""
    found: dict[str, list[str]] = {channel: [] for channel in channels}
    for name in sorted(contents):
        if (channel := _stem(name)) in found:
            found[channel].append(name)
    missing = [channel for channel, names in found.items() if not names]
    if missing:
        return {}, f"lacks {', '.join(missing)}; there are: {', '.join(sorted(contents))}"
    for channel, names in found.items():
        if len(names) > 1:
            return {}, f"has {channel} more than once: {', '.join(names)}"
    return {channel: names[0] for channel, names in found.items()}, ""


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
    names = ", ".join(f"{channel}.mha" for channel in settings.channels or SEQUENCES)
    remedy = f"expected {TRAINING}/{settings.classes[0]}/<patient>/{names}"
    for path in outside:
        above, marker, _ = f"/{path}".partition(f"/{TRAINING}/")
        if marker:
            remedy += f"; there is a {TRAINING} below {above.lstrip('/')}: set the raw folder to it"
            break
    return UserError("no patients found", where=raw, remedy=remedy)


def beside(raw: Path, file: str) -> list[str]:
    """The file that a MetaImage header takes its voxels from."""
    name = volume_files.data_file(raw / file)
    folder = file.rpartition("/")[0]
    return [inventory.plain(f"{folder}/{name}".lstrip("/"))] if name else []


def load(raw: Path, files: Mapping[str, str], how: Loading = USUAL) -> np.ndarray:
    """A case's slices from feet to head, [slices, channels, height, width].

    All channels are on the grid of the reference, whose axes are turned to run from right to left,
    front to back and feet to head (LPS). Whole numbers stay whole. Raises BadFile.
    """
    names = how.channels or tuple(files)
    reference = how.reference or names[-1]
    # A file that is no good is told before one that does not fit.
    wanted = dict.fromkeys((reference, *names))
    scans = {name: turned(volume_files.read(raw, files[name])) for name in wanted}
    grid = respaced(scans[reference], how.spacing) if how.spacing else scans[reference]
    channels = {name: _laid(scans[name], grid, reference, files[name]) for name in names}
    for (first, one), (second, other) in combinations(channels.items(), 2):
        if one.range == other.range and np.array_equal(one.voxels, other.voxels):
            raise BadFile(files[second], f"has the same voxels as {first}")
    if how.windows:
        return _windowed(channels[reference], how.windows)
    kind = voxels.narrowest(*(channel.range for channel in channels.values()))
    arrays = [channel.voxels for channel in channels.values()]
    return np.stack(arrays, axis=1, dtype=kind, casting="unsafe")


def _laid(scan: Volume, grid: Volume, reference: str, file: str) -> Volume:
    try:
        return on_grid(scan, grid, reference)
    except Refusal as refusal:
        raise BadFile(file, str(refusal)) from refusal


def _windowed(volume: Volume, windows: Sequence[tuple[float, float]]) -> np.ndarray:
    """The volume once a window, with all beyond the window as at its end."""
    arrays = [np.clip(volume.voxels, low, high) for low, high in windows]
    kind = voxels.narrowest(*map(voxels.range_of, arrays))
    return np.stack(arrays, axis=1, dtype=kind, casting="unsafe")
