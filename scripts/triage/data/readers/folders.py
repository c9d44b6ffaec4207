"""Reader of pictures in a folder a class, with or without a folder a partition above it.

    [...]/train/NORMAL/IM-0115-0001.jpeg        NORMAL/IM-0115-0001.jpeg

Folders below that of a class say nothing. Pictures right in a ``test`` folder have no label. Where
HAM10000's table lies beside, its lesions are the groups.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from triage.command import log
from triage.data.attributes import Attributes
from triage.data.readers import (
    Case,
    Found,
    Grouping,
    IndexSettings,
    Problem,
    picture_files,
    tables,
)
from triage.errors import UserError

PARTITIONS = ("train", "val", "test")
TABLES = ("HAM10000_metadata.csv", "HAM10000_metadata", "HAM10000_metadata.tab")
NAME, LESION = "image_id", "lesion_id"
DIAGNOSIS, AGE, SEX = "dx", "age", "sex"  # nice to have
_SHOWN = 5

load, gather, beside = picture_files.load, picture_files.gather, picture_files.beside


class _Picture(NamedTuple):
    name: str
    path: str
    partition: str
    label: str


def find(raw: Path, paths: Sequence[str], settings: IndexSettings) -> Found:
    """The pictures in folders of classes, and what is wrong with the rest.

    Raises UserError for a folder that is no class or partition, a name in two of them, or where
    there is no picture.
    """
    pictures, problems = _collect(raw, paths, settings)
    pictures, doubled = _unique(raw, pictures)
    lesions = _lesions(raw, paths)
    group = Grouping(settings.group)
    _check_lesions(pictures, lesions, settings)
    cases = [_case(picture, lesions.get(picture.name), group) for picture in pictures]
    return cases, problems + doubled


def _case(picture: _Picture, lesion: tables.Row | None, group: Grouping) -> Case:
    name, files = picture.name, {"image": picture.path}
    if lesion is None:
        return Case(name, group(name), picture.label, picture.partition, files)
    known = Attributes({AGE: AGE, SEX: SEX}).read(lesion.cells, lesion.where)
    return Case(name, lesion[LESION], picture.label, picture.partition, files, attributes=known)


def _collect(
    raw: Path, paths: Sequence[str], settings: IndexSettings
) -> tuple[list[_Picture], list[Problem]]:
    parted = any(_is_parted(path, settings) for path in paths)
    found, problems = [], []
    for path in paths:
        place = _place(raw, path, parted, settings)
        if not picture_files.is_picture(path):
            if place:
                problems.append(Problem(path, "", "is no picture by its name"))
        elif place:
            found.append(_Picture(picture_files.stem(path), path, *place))
        else:
            problems.append(Problem(path, picture_files.stem(path), "is in no class's folder"))
    if not found:
        raise _no_pictures(raw, settings)
    return found, problems


def _folders(path: str, settings: IndexSettings) -> tuple[str, str]:
    """The names of the innermost folder that is a class, or else of the innermost, and of that
    above it; empty where there is none."""
    folders = ["", "", *path.split("/")[:-1]]
    of_class = [i for i, name in enumerate(folders) if name in settings.classes]
    place = of_class[-1] if of_class else len(folders) - 1
    return folders[place - 1], folders[place]


def _is_parted(path: str, settings: IndexSettings) -> bool:
    above, folder = _folders(path, settings)
    return above in PARTITIONS and folder in settings.classes


def _place(raw: Path, path: str, parted: bool, settings: IndexSettings) -> tuple[str, str] | None:
    """Partition and label by the folders of ``path``; None where they say nothing."""
    above, folder = _folders(path, settings)
    is_class = folder in settings.classes
    if is_class and not parted:
        return "", folder
    if is_class and above in PARTITIONS:
        return above, folder
    if parted and folder == "test":
        return folder, ""
    if not picture_files.is_picture(path):
        return None
    # A picture beside those of classes or partitions: somebody misspelt a folder.
    if is_class:
        what, remedy = f"{above!r} is none of {', '.join(PARTITIONS)}", "rename or move the folder"
        raise UserError(what, where=raw / path, remedy=remedy)
    if folder and (not parted or above in PARTITIONS):
        remedy = f"rename or move the folder; classes are {', '.join(settings.classes)}"
        raise UserError(f"{folder!r} is no class", where=raw / path, remedy=remedy)
    return None


def _no_pictures(raw: Path, settings: IndexSettings) -> UserError:
    label = settings.classes[0]
    return UserError(
        "no pictures found",
        where=raw,
        remedy=f"expected train/{label}/<name>.jpg or {label}/<name>.jpg"
        f" (or {', '.join(picture_files.EXTENSIONS)})",
    )


def _unique(raw: Path, pictures: Sequence[_Picture]) -> tuple[list[_Picture], list[Problem]]:
    """One picture of each name; further ones in a folder of the same meaning are problems."""
    by_name: dict[str, list[_Picture]] = defaultdict(list)
    for picture in sorted(pictures, key=lambda each: (each.path.count("/"), each.path)):
        by_name[picture.name].append(picture)
    clashes = [
        " and ".join(each.path for each in same)
        for same in by_name.values()
        if len({(each.partition, each.label) for each in same}) > 1
    ]
    if clashes:
        raise UserError(
            f"{len(clashes)} name(s) stand for more than one picture: "
            + "; ".join(clashes[:_SHOWN]),
            where=raw,
            remedy="give every picture a name of its own, and keep it in one folder",
        )
    problems = [
        Problem(each.path, "", f"has the same name as {same[0].path}")
        for same in by_name.values()
        for each in same[1:]
    ]
    return [same[0] for same in by_name.values()], problems


def _lesions(raw: Path, paths: Sequence[str]) -> dict[str, tables.Row]:
    """The row of each picture in HAM10000's table, where there is one."""
    if not tables.locate(paths, TABLES):
        return {}
    table = tables.locate_one(raw, paths, TABLES)
    rows = tables.read(raw / table, [NAME, LESION], [DIAGNOSIS, AGE, SEX])
    found = dict(tables.unique(rows, lambda row: tables.filled(row, NAME), [LESION], []))
    for row in found.values():
        tables.filled(row, LESION)
    return found


def _check_lesions(
    pictures: Sequence[_Picture], lesions: Mapping[str, tables.Row], settings: IndexSettings
) -> None:
    if not lesions:
        return
    for picture in pictures:
        row = lesions.get(picture.name)
        diagnosis = row.cells.get(DIAGNOSIS, "").upper() if row else ""
        if row and picture.label and diagnosis in settings.classes and diagnosis != picture.label:
            raise UserError(
                f"{picture.name} is {diagnosis} here, but lies in {picture.path}",
                where=row.where,
                remedy="correct the row, or move the picture",
            )
    missing = [picture.name for picture in pictures if picture.name not in lesions]
    if missing:
        log.warning(
            "warning: %d picture(s), for example %s, are not in the table of lesions:"
            " each counts as a lesion of its own",
            len(missing),
            missing[0],
        )
