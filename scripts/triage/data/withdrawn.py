"""The table of withdrawn cases, which people write with any editor; and what their files show."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from triage.data.spelling import spelt
from triage.errors import UserError
from triage.files import each_row, parse_cell, plain, write_rows
from triage.shield import unshielded

FILE_COLUMNS = ["files", "parts"]
COLUMNS = ["case", "date", "reason"]
NEAR_WITHDRAWN = "the same or nearly the same picture as a withdrawn case"
_REMEDY = f"must be a CSV file in UTF-8 with the columns {','.join(COLUMNS)}"


def read(table: Path) -> list[dict[str, str]]:
    """A row for each withdrawn case, with COLUMNS.

    Raises UserError where the table can't be read, or a row names no case.
    """
    try:
        text = plain(table).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"can't be read ({error})", where=table, remedy=_REMEDY) from error
    rows = csv.DictReader(text.splitlines(keepends=True), skipinitialspace=True)
    if "case" not in (rows.fieldnames or ()):
        raise UserError("lacks the column case", where=table, remedy=_REMEDY)
    found = []
    for row in rows:
        cells = {name: unshielded((row.get(name) or "").strip()) for name in COLUMNS}
        if cells["case"]:
            found.append(cells)
        elif any(row.values()):
            raise UserError("names no case", where=f"{table}, line {rows.line_num}", remedy=_REMEDY)
    return found


def cases(table: Path) -> set[str]:
    """The withdrawn cases, as they are written and as tables are read: cases have either name.

    Raises UserError as ``read`` does.
    """
    return {name for row in read(table) for name in (row["case"], spelt(row["case"]))}


def copies(withdrawn: Collection[str], manifest: Collection[Mapping[str, str]]) -> set[str]:
    """The cases of a manifest whose files are, byte by byte, those of a withdrawn one."""
    contents = {row["sha256"] for row in manifest if row["case"] in withdrawn}
    return {row["case"] for row in manifest if row["sha256"] in contents} - set(withdrawn)


def near_copies(groups: Path) -> set[str]:
    """The cases of a table of groups that are left out as near copies of withdrawn ones."""
    rows = each_row(groups, "groups", ["case", "reason"])
    return {row["case"] for row in rows if row["reason"] == NEAR_WITHDRAWN}


class Withdrawn(NamedTuple):
    """The files of a withdrawn case by role, and all raw files that hold something of it."""

    files: dict[str, str]
    parts: list[str]


def write(found: Iterable[Withdrawn], table: Path) -> None:
    """Write them into a table that names no case."""
    rows = ({"files": json.dumps(each.files), "parts": json.dumps(each.parts)} for each in found)
    write_rows(rows, FILE_COLUMNS, table, sealed=True)


def read_files(table: Path) -> list[Withdrawn]:
    """What ``write`` wrote."""
    rows = each_row(table, "index", FILE_COLUMNS)
    return [Withdrawn(parse_cell(row, "files"), parse_cell(row, "parts")) for row in rows]
