"""Reader of the NIH's ChestX-ray14: ``Data_Entry_2017.csv``, pictures and two lists of names.

The table is that of any release (of 2017, with a comma at each line's end; v2020) or Kaggle's
``sample_labels.csv``; ages are numbers or like ``060Y``, ``013M``, ``001D``. Pictures may lie in
``images/`` or in ``images_001/`` and so on.

Labels are those of the table, several joined with ``|``. A study that asks only whether there is
any finding at all has the classes ``No Finding`` and ``Finding``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from triage.data.readers import (
    Columns,
    Found,
    IndexSettings,
    picture_files,
    tables,
)
from triage.data.readers.table import Rows
from triage.data.readers.table_files import read_text
from triage.data.readers.tables import Row
from triage.errors import UserError
from triage.task import SEPARATOR

TABLES = ("Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv", "sample_labels.csv")
LISTS = {"train": "train_val_list.txt", "test": "test_list.txt"}
NAME, LABELS, PATIENT = "Image Index", "Finding Labels", "Patient ID"
COLUMNS = Columns(file=NAME, label=LABELS, group=PATIENT)
ATTRIBUTES = {"age": ("Patient Age",), "sex": ("Patient Gender", "Patient Sex")}
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

load, gather, beside = picture_files.load, picture_files.gather, picture_files.beside


def find(raw: Path, paths: Sequence[str], settings: IndexSettings) -> Found:
    """The pictures that the table names, and what is wrong with the rest.

    Raises UserError where the table or the lists can't be trusted.
    """
    table = tables.locate_one(raw, paths, TABLES)
    header = tables.header(raw / table, [NAME, LABELS, PATIENT])
    attributes = {
        name: column
        for name, columns in ATTRIBUTES.items()
        for column in columns
        if column in header
    }
    preset = replace(settings, columns=COLUMNS, attributes=attributes)
    return _Rows(raw, table, paths, preset).cases()


class _Rows(Rows):
    """Pictures may lie in folders of any name, once each."""

    shallowest = True
    partition_source = f"neither of {', '.join(LISTS.values())}"

    def __init__(
        self, raw: Path, table: str, paths: Sequence[str], settings: IndexSettings
    ) -> None:
        super().__init__(raw, table, paths, settings)
        self.parts = _partitions(raw, paths)

    def label(self, row: Row) -> str:
        """The row's findings in the order of the classes."""
        classes = self.settings.classes
        names = {name.strip() for name in row[LABELS].split(SEPARATOR)}
        if ANY_FINDING in classes:
            for name in sorted(names - {NO_FINDING, *FINDINGS}):
                raise tables.unknown("finding", name, row, (NO_FINDING, *FINDINGS))
        if NO_FINDING in names and len(names) > 1:
            raise UserError(
                f"{row[LABELS]!r} says both that there is a finding and that there is none",
                where=row.where,
                remedy="correct the row",
            )
        if ANY_FINDING in classes and NO_FINDING not in names:
            names = {ANY_FINDING}
        for name in sorted(names - set(classes)):
            raise tables.unknown("finding", name, row, classes)
        return SEPARATOR.join(name for name in classes if name in names)

    def group(self, row: Row, case: str) -> str:
        group = super().group(row, case)
        return group if self.settings.group else group.lstrip("0") or "0"

    def partition(self, row: Row) -> str | None:
        """By the lists, where there are any."""
        return self.parts.get(row[NAME]) if self.parts else ""


def _partitions(raw: Path, paths: Sequence[str]) -> dict[str, str]:
    """The partition of every picture in the lists; empty where there are no lists."""
    files = {part: tables.locate(paths, [name]) for part, name in LISTS.items()}
    if not any(files.values()):
        return {}
    partitions: dict[str, str] = {}
    for part, name in LISTS.items():
        file = tables.locate_one(raw, files[part], [name])
        for line in read_text(raw / file).split():
            if partitions.setdefault(line, part) != part:
                both = f"is in both {' and '.join(LISTS.values())}"
                raise UserError(f"{line} {both}", where=raw / file, remedy="keep it in one")
    return partitions
