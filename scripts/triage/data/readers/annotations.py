"""Reader of MHIST's layout: ``annotations.csv`` and pictures, judged by seven annotators.

Image Name,Majority Vote Label,Number of Annotators who Selected SSA (Out of 7),Partition
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from triage.data.readers import (
    Case,
    Grouping,
    IndexSettings,
    Problem,
    picture_files,
    tables,
)
from triage.errors import UserError

TABLE = "annotations.csv"
NAME, LABEL, PARTITION = "Image Name", "Majority Vote Label", "Partition"
VOTES = "Number of Annotators who Selected SSA (Out of 7)"
COUNTED = "SSA"  # the label that votes are for
ANNOTATORS = 7
PARTITIONS = ("train", "test")

load, gather, beside = picture_files.load, picture_files.gather, picture_files.beside


def find(
    raw: Path, paths: Sequence[str], settings: IndexSettings
) -> tuple[list[Case], list[Problem]]:
    """The pictures that the table names, and what is wrong with the rest.

    Raises UserError where the table can't be trusted.
    """
    table = tables.locate_one(raw, paths, [TABLE])
    rows = tables.read(raw / table, [NAME, LABEL, VOTES, PARTITION])
    rows, problems = tables.unique(rows, NAME, [LABEL, VOTES, PARTITION])
    pictures, doubled = picture_files.by_name(paths)
    group = Grouping(settings.group)
    cases = []
    for row in rows:
        name = picture_files.stem(row[NAME])
        label, votes, partition = _label(row, settings), _votes(row), _partition(row)
        file = pictures.pop(row[NAME], None)
        if file is None:
            problems.append(tables.without_picture(table, row, NAME))
            continue
        cases.append(Case(name, group(name), label, partition, {"image": file}, votes))
    problems += doubled + tables.without_row(table, pictures.values())
    return cases, problems


def _label(row: tables.Row, settings: IndexSettings) -> str:
    if row[LABEL] not in settings.classes:
        raise tables.unknown(LABEL, row[LABEL], row, settings.classes)
    return row[LABEL]


def _votes(row: tables.Row) -> int:
    try:
        votes = float(row[VOTES])
    except ValueError:
        votes = -1
    if votes not in range(ANNOTATORS + 1):
        allowed = [str(number) for number in range(ANNOTATORS + 1)]
        raise tables.unknown(VOTES, row[VOTES], row, allowed)
    if (votes > ANNOTATORS / 2) != (row[LABEL] == COUNTED):
        raise UserError(
            f"the label is {row[LABEL]}, but {votes:g} of {ANNOTATORS} selected {COUNTED}",
            where=row.where,
            remedy="correct one of the two",
        )
    return int(votes)


def _partition(row: tables.Row) -> str:
    if row[PARTITION] not in PARTITIONS:
        raise tables.unknown(PARTITION, row[PARTITION], row, PARTITIONS)
    return row[PARTITION]
