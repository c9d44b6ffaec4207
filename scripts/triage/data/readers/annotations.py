"""Reader of MHIST's layout: ``annotations.csv`` and pictures, judged by seven annotators.

Image Name,Majority Vote Label,Number of Annotators who Selected SSA (Out of 7),Partition
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

TABLE = "annotations.csv"
COLUMNS = Columns(
    file="Image Name",
    label="Majority Vote Label",
    votes="Number of Annotators who Selected SSA (Out of 7)",
    partition="Partition",
)
ANNOTATORS = 7

load, gather, beside = picture_files.load, picture_files.gather, picture_files.beside


def find(raw: Path, paths: Sequence[str], settings: IndexSettings) -> Found:
    """The pictures that the table names, and what is wrong with the rest.

    Raises UserError where the table can't be trusted.
    """
    table = tables.locate_one(raw, paths, [TABLE])
    partitions: dict[str, str | tuple[str, ...]] = {"train": "train", "test": "test"}
    preset = replace(settings, columns=COLUMNS, partitions=partitions, annotators=ANNOTATORS)
    return Rows(raw, table, paths, preset).cases()
