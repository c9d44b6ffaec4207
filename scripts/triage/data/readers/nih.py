"""Reader of the NIH's ChestX-ray14: ``Data_Entry_2017.csv``, pictures and two lists of names.

The table is that of any release (of 2017, with a comma at each line's end; v2020) or Kaggle's
``sample_labels.csv``; ages are numbers or like ``060Y``, ``013M``, ``001D``. Pictures may lie in
``images/`` or in ``images_001/`` and so on.

Labels are those of the table, several joined with ``|``. A study that asks only whether there is
any finding at all has the classes ``No Finding`` and ``Finding``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from triage.command import log
from triage.data.readers import (
    Case,
    Grouping,
    IndexSettings,
    Problem,
    picture_files,
    tables,
)
from triage.errors import UserError

TABLES = ("Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv", "sample_labels.csv")
LISTS = {"train": "train_val_list.txt", "test": "test_list.txt"}
NAME, LABELS, PATIENT = "Image Index", "Finding Labels", "Patient ID"
AGE, SEX = "Patient Age", "Patient Gender"  # nice to have
NO_FINDING, ANY_FINDING = "No Finding", "Finding"
FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
)
_AGE = re.compile(r"(\d+(?:\.\d+)?)([YMD]?)")
_YEARS = {"": 1.0, "Y": 1.0, "M": 1 / 12, "D": 1 / 365.25}
_OLDEST = 120

load, gather, beside = picture_files.load, picture_files.gather, picture_files.beside


def find(
    raw: Path, paths: Sequence[str], settings: IndexSettings
) -> tuple[list[Case], list[Problem]]:
    """The pictures that the table names, and what is wrong with the rest.

    Raises UserError where the table or the lists can't be trusted.
    """
    table = tables.locate_one(raw, paths, TABLES)
    rows = tables.read(raw / table, [NAME, LABELS, PATIENT])
    rows, problems = tables.unique(rows, NAME, [LABELS, PATIENT])
    pictures, doubled = picture_files.by_name(paths)
    partitions = _partitions(raw, paths)
    group = Grouping(settings.group) if settings.group else None
    cases = []
    for row in rows:
        name = picture_files.stem(row[NAME])
        label, patient = _label(row, settings), _patient(row)
        file = pictures.pop(row[NAME], None)
        if file is None:
            problems.append(tables.without_picture(table, row, NAME))
        elif partitions and row[NAME] not in partitions:
            problems.append(Problem(file, name, f"is in neither of {', '.join(LISTS.values())}"))
        else:
            partition = partitions.get(row[NAME], "")
            files = {"image": file}
            age, sex = _age(row), row.cells.get(SEX, "")
            sex = sex if sex in ("M", "F") else ""
            patient = group(name) if group else patient
            cases.append(Case(name, patient, label, partition, files, age=age, sex=sex))
    _tell_ages(rows)
    problems += doubled + tables.without_row(table, pictures.values())
    return cases, problems


def _label(row: tables.Row, settings: IndexSettings) -> str:
    """The row's findings in the order of the classes."""
    names = {name.strip() for name in row[LABELS].split("|")}
    if ANY_FINDING in settings.classes:
        for name in sorted(names - {NO_FINDING, *FINDINGS}):
            raise tables.unknown("finding", name, row, (NO_FINDING, *FINDINGS))
    if NO_FINDING in names and len(names) > 1:
        raise UserError(
            f"{row[LABELS]!r} says both that there is a finding and that there is none",
            where=row.where,
            remedy="correct the row",
        )
    if ANY_FINDING in settings.classes and NO_FINDING not in names:
        names = {ANY_FINDING}
    for name in sorted(names - set(settings.classes)):
        raise tables.unknown("finding", name, row, settings.classes)
    return "|".join(name for name in settings.classes if name in names)


def _patient(row: tables.Row) -> str:
    if not row[PATIENT]:
        raise UserError(f"has no {PATIENT}", where=row.where, remedy="fill it in")
    return row[PATIENT].lstrip("0") or "0"


def _age(row: tables.Row) -> float | None:
    """Age in years; None where there is none that a person can have."""
    found = _AGE.fullmatch(row.cells.get(AGE, ""))
    if not found:
        return None
    age = float(found[1]) * _YEARS[found[2]]
    return age if age <= _OLDEST else None


def _tell_ages(rows: Sequence[tables.Row]) -> None:
    strange = [row for row in rows if row.cells.get(AGE) and _age(row) is None]
    if strange:
        example = f"for example {strange[0][AGE]!r} in line {strange[0].line}"
        log.warning("warning: %d age(s) are left out, %s", len(strange), example)


def _partitions(raw: Path, paths: Sequence[str]) -> dict[str, str]:
    """The partition of every picture in the lists; empty where there are no lists."""
    files = {part: tables.locate(paths, [name]) for part, name in LISTS.items()}
    if not any(files.values()):
        return {}
    partitions: dict[str, str] = {}
    for part, name in LISTS.items():
        file = tables.locate_one(raw, files[part], [name])
        for line in tables.read_text(raw / file).split():
            if partitions.setdefault(line, part) != part:
                both = f"is in both {' and '.join(LISTS.values())}"
                raise UserError(f"{line} {both}", where=raw / file, remedy="keep it in one")
    return partitions
